//! Administration of users.

use actix_web::http::Method;
use serde_json::{Value, json};
use test_kit::{Client, TestResponse};

use crate::{
    ADMIN, PASSWORD, logged_in, logged_in_ada, logged_in_admin, login, refresh, refreshed, register, service,
    with_token,
};

pub(crate) fn path_of(user: &Value) -> String {
    format!("/admin/users/{}", user["id"].as_str().unwrap())
}

async fn post(client: &Client, path: &str) -> TestResponse {
    client.send(&Method::POST, path, |request| request).await
}

#[actix_web::test]
async fn users_are_found_by_address_name_and_role() {
    let service = service().await;
    let (pair, ada) = logged_in_ada(&service).await;
    ada.patch("/users/me", json!({"name": "Augusta Ädä 100%"}))
        .await
        .assert_status(200);
    for number in 0..3 {
        register(&service, &format!("bob_{number}@example.com")).await;
    }
    let root = logged_in_admin(&service).await;
    let found = async |query: &str| {
        let page = root
            .get(&format!("/admin/users?{query}"))
            .await
            .assert_status(200)
            .json();
        let items = page["items"].as_array().unwrap().clone();
        items
            .into_iter()
            .map(|user| user["email"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let bobs = ["bob_2@example.com", "bob_1@example.com", "bob_0@example.com"];
    assert_eq!(
        found("").await,
        [&bobs[..], &["ada@example.com", ADMIN.0]].concat()
    );
    assert_eq!(found("q=BOB_").await, bobs);
    assert_eq!(found("q=%C3%A4D%C3%84").await, ["ada@example.com"]);
    assert_eq!(found("q=100%25").await, ["ada@example.com"]);
    assert_eq!(found("q=b%25b").await, Vec::<String>::new());
    assert_eq!(found("role=admin").await, [ADMIN.0]);
    assert_eq!(found("role=user&q=ada@").await, ["ada@example.com"]);
    assert_eq!(found("role=support").await, Vec::<String>::new());
    register(&service, "Eve@Bücher.example").await;
    assert_eq!(found("q=%40b%C3%9Ccher").await, ["Eve@Bücher.example"]);
    assert_eq!(found("q=xn--bcher").await, ["Eve@Bücher.example"]);
    let page = root.get("/admin/users?limit=2&q=example.com").await.json();
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(
        found(&format!("limit=2&q=example.com&cursor={cursor}")).await,
        [bobs[2], "ada@example.com"]
    );

    for query in ["role=root", "role=", "role=user%20admin", "q=%00"] {
        root.get(&format!("/admin/users?{query}"))
            .await
            .assert_problem(400, "invalid_query");
    }
    root.get(&path_of(&pair["user"]))
        .await
        .assert(200, json!({"email": "ada@example.com", "disabled": false}));
    ada.get("/admin/users").await.assert_problem(403, "forbidden");
    ada.get(&path_of(&pair["user"]))
        .await
        .assert_problem(403, "forbidden");
}

#[actix_web::test]
async fn changed_roles_revoke_access_tokens_and_arrive_with_the_next_refresh() {
    let service = service().await;
    let (pair, ada) = logged_in_ada(&service).await;
    let root = logged_in_admin(&service).await;
    let path = path_of(&pair["user"]);
    let changed = root.patch(&path, json!({"roles": ["support", "support"]})).await;
    changed.assert(
        200,
        json!({"roles": ["user", "support"], "id": pair["user"]["id"]}),
    );

    ada.get("/users/me").await.assert_problem(401, "token_revoked");
    let next = refreshed(&service, &pair).await;
    assert_eq!(
        next["scope"],
        "products:write orders:write orders:read-all users:read"
    );
    let support = with_token(&service, &next);
    support.get(&path).await.assert_status(200);
    support
        .patch(&path, json!({"roles": ["admin"]}))
        .await
        .assert_problem(403, "forbidden");

    // A change that changes nothing revokes nothing.
    root.patch(&path, json!({"roles": ["user", "support"], "disabled": false}))
        .await
        .assert_status(200);
    root.patch(&path, json!({})).await.assert_status(200);
    root.patch(&path, json!({"name": "Countess"}))
        .await
        .assert(200, json!({"name": "Countess"}));
    support
        .get("/users/me")
        .await
        .assert(200, json!({"name": "Countess", "roles": ["user", "support"]}));

    root.patch(&path, json!({"roles": []}))
        .await
        .assert(200, json!({"roles": ["user"]}));
    support.get(&path).await.assert_problem(401, "token_revoked");
}

#[actix_web::test]
async fn an_invalid_change_is_refused_by_field() {
    let service = service().await;
    let (pair, ada) = logged_in_ada(&service).await;
    let root = logged_in_admin(&service).await;
    let path = path_of(&pair["user"]);
    for (field, value) in [
        ("roles", json!(["root"])),
        ("roles", json!("admin")),
        ("roles", json!(null)),
        ("disabled", json!("yes")),
        ("disabled", json!(null)),
        ("name", json!("")),
        ("name", json!(null)),
        ("email", json!("eve@example.com")),
        ("password", json!("a password of mine")),
    ] {
        let mut body = json!({"roles": ["support"]});
        body[field] = value;
        root.patch(&path, body).await.assert_invalid(field);
    }
    root.patch(&path, json!({"roles": ["x".repeat(10_000)]}))
        .await
        .assert_invalid("roles");
    ada.get("/users/me").await.assert(200, json!({"roles": ["user"]}));
    for unknown in [
        "/admin/users/01890a5d-ac96-774b-bcce-b302099a8057",
        "/admin/users/x",
    ] {
        root.patch(unknown, json!({"roles": []}))
            .await
            .assert_problem(404, "user_not_found");
        root.delete(unknown).await.assert_problem(404, "user_not_found");
        root.get(unknown).await.assert_problem(404, "user_not_found");
        post(&root, &format!("{unknown}/logout"))
            .await
            .assert_problem(404, "user_not_found");
    }
}

#[actix_web::test]
async fn a_disabled_user_is_logged_out_at_once_and_stays_logged_out() {
    let service = service().await;
    let (pair, ada) = logged_in_ada(&service).await;
    let root = logged_in_admin(&service).await;
    let path = path_of(&pair["user"]);
    root.patch(&path, json!({"disabled": true}))
        .await
        .assert(200, json!({"disabled": true}));
    ada.get("/users/me").await.assert_problem(401, "token_revoked");
    refresh(&service, &pair["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
    login(&service, "ada@example.com", PASSWORD)
        .await
        .assert_problem(401, "invalid_credentials");

    root.patch(&path, json!({"disabled": false}))
        .await
        .assert(200, json!({"disabled": false}));
    ada.get("/users/me").await.assert_problem(401, "token_revoked");
    refresh(&service, &pair["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
    let pair = logged_in(&service, "ada@example.com").await;
    with_token(&service, &pair)
        .get("/users/me")
        .await
        .assert_status(200);
}

#[actix_web::test]
async fn a_user_logged_out_by_an_admin_can_log_in_again() {
    let service = service().await;
    let (pair, ada) = logged_in_ada(&service).await;
    let root = logged_in_admin(&service).await;
    post(&root, &format!("{}/logout", path_of(&pair["user"])))
        .await
        .assert_status(204);
    ada.get("/users/me").await.assert_problem(401, "token_revoked");
    refresh(&service, &pair["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
    login(&service, "ada@example.com", PASSWORD)
        .await
        .assert_status(200);
    root.get("/users/me").await.assert_status(200);
}

#[actix_web::test]
async fn a_deleted_users_tokens_are_revoked_and_the_address_is_free() {
    let service = service().await;
    let (pair, ada) = logged_in_ada(&service).await;
    let root = logged_in_admin(&service).await;
    let path = path_of(&pair["user"]);
    root.delete(&path).await.assert_status(204);
    ada.get("/users/me").await.assert_problem(401, "token_revoked");
    ada.get("/auth/current-user")
        .await
        .assert(200, json!({"current_user": null}));
    refresh(&service, &pair["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
    login(&service, "ada@example.com", PASSWORD)
        .await
        .assert_problem(401, "invalid_credentials");
    root.get(&path).await.assert_problem(404, "user_not_found");
    root.delete(&path).await.assert_problem(404, "user_not_found");

    let (other, again) = logged_in_ada(&service).await;
    assert_ne!(other["user"]["id"], pair["user"]["id"]);
    again.get("/users/me").await.assert_status(200);
    let service = crate::restart(service, &[]).await;
    ada.at(service.anonymous())
        .get("/users/me")
        .await
        .assert_problem(401, "token_revoked");
}
