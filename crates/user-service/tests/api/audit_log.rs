//! The audit log.

use actix_web::http::Method;
use db::on;
use serde_json::{Value, json};
use test_kit::TestService;

use crate::database::{database, execute};
use crate::oauth::{CLIENT, revoke};
use crate::{
    ADMIN, PASSWORD, logged_in, logged_in_admin, login, random_secret, refresh, register, seconds,
    service_with, with_token,
};

const FROM: &str = "203.0.113.7";

/// The newest record that matches the query.
async fn newest(service: &TestService, query: &str) -> Value {
    let root = logged_in_admin(service).await;
    root.get(&format!("/admin/audit-log?{query}"))
        .await
        .assert_status(200)
        .json()["items"][0]
        .clone()
}

async fn service_behind_a_proxy() -> TestService {
    service_with(&[("TRUSTED_PROXIES", "127.0.0.1"), ("LOGIN_FREE_FAILURES", "2")]).await
}

/// The event, outcome, actor, subject and detail of a record.
fn summary(record: &Value) -> Value {
    json!([
        record["event"],
        record["outcome"],
        record["actor_id"],
        record["subject_id"],
        record["detail"]
    ])
}

#[actix_web::test]
async fn each_event_is_one_record() {
    let service = service_behind_a_proxy().await;
    let caller = service
        .anonymous()
        .with("x-forwarded-for", FROM)
        .with("user-agent", "Shop/1.0");
    let registration = json!({"email": "ada@example.com", "password": PASSWORD, "name": "Ada"});
    let id = caller
        .post("/auth/register", registration)
        .await
        .assert_status(201)
        .json()["id"]
        .clone();
    let user = format!("user_id={}", id.as_str().unwrap());
    let user = user.as_str();

    let registered = newest(&service, user).await;
    assert_eq!(
        summary(&registered),
        json!(["registered", "success", id, id, null])
    );
    assert_eq!(
        (&registered["ip"], &registered["user_agent"]),
        (&json!(FROM), &json!("Shop/1.0"))
    );

    let credentials = json!({"email": "ada@example.com", "password": PASSWORD});
    let response = caller
        .with("x-request-id", "the-login")
        .post("/auth/login", credentials)
        .await;
    let pair = response.assert_status(200).json();
    let record = newest(&service, user).await;
    assert_eq!(summary(&record), json!(["login", "success", id, id, null]));
    assert_eq!(record["request_id"], "the-login");
    assert_eq!(record["at"], json!(service.issuer().clock().now()));

    login(&service, "ada@example.com", "wrong")
        .await
        .assert_status(401);
    assert_eq!(
        summary(&newest(&service, user).await),
        json!(["login", "failure", null, id, "wrong password"])
    );
    login(&service, "eve@example.com", "wrong")
        .await
        .assert_status(401);
    let record = newest(&service, "event=login").await;
    assert_eq!(
        record["actor_id"], record["subject_id"],
        "the newest login is the admin's, not the failed one"
    );

    let ada = with_token(&service, &pair);
    ada.post("/auth/logout", json!({"refresh_token": ""}))
        .await
        .assert_status(204);
    assert_eq!(
        summary(&newest(&service, user).await),
        json!(["logout", "success", id, id, null])
    );
    ada.post("/auth/logout", json!({"refresh_token": ""}))
        .await
        .assert_status(204);
    assert_eq!(
        count(&service, "event=logout").await,
        1,
        "a second logout is not recorded"
    );

    let pair = logged_in(&service, "ada@example.com").await;
    let ada = with_token(&service, &pair);
    let change = json!({"current_password": "wrong", "new_password": "another one of mine"});
    ada.put("/auth/password", change).await.assert_status(422);
    let of_password = newest(&service, &format!("{user}&event=password_changed")).await;
    assert_eq!(
        summary(&of_password),
        json!(["password_changed", "failure", id, id, "wrong password"])
    );
    service.issuer().clock().advance(seconds(900));
    let pair = logged_in(&service, "ada@example.com").await;
    let ada = with_token(&service, &pair);
    let change = json!({"current_password": PASSWORD, "new_password": "another one of mine"});
    ada.put("/auth/password", change).await.assert_status(204);
    assert_eq!(
        summary(&newest(&service, user).await),
        json!(["password_changed", "success", id, id, null])
    );

    let sessions = ada.get("/auth/sessions").await.json();
    let session = sessions["items"][0]["id"].as_str().unwrap();
    ada.delete(&format!("/auth/sessions/{session}"))
        .await
        .assert_status(204);
    let record = newest(&service, user).await;
    assert_eq!(
        summary(&record),
        json!(["session_ended", "success", id, id, format!("session {session}")])
    );

    let pair = login(&service, "ada@example.com", "another one of mine")
        .await
        .json();
    let ada = with_token(&service, &pair);
    ada.send(&Method::POST, "/auth/logout-all", |request| request)
        .await
        .assert_status(204);
    assert_eq!(
        summary(&newest(&service, user).await),
        json!(["logout_all", "success", id, id, null])
    );
}

#[actix_web::test]
async fn an_admins_action_names_the_admin_and_the_user() {
    let service = service_behind_a_proxy().await;
    let ada = register(&service, "ada@example.com").await["id"].clone();
    let root = logged_in_admin(&service).await;
    let me = root.get("/users/me").await.json()["id"].clone();
    let path = format!("/admin/users/{}", ada.as_str().unwrap());
    let last = async || newest(&service, &format!("user_id={}", ada.as_str().unwrap())).await;

    root.patch(&path, json!({"roles": ["support"], "name": "Countess"}))
        .await
        .assert_status(200);
    let detail = "roles: user → user support; name";
    assert_eq!(
        summary(&last().await),
        json!(["user_changed", "success", me, ada, detail])
    );
    root.patch(&path, json!({"disabled": true}))
        .await
        .assert_status(200);
    assert_eq!(
        summary(&last().await),
        json!(["user_changed", "success", me, ada, "disabled"])
    );
    login(&service, "ada@example.com", PASSWORD)
        .await
        .assert_status(401);
    assert_eq!(
        summary(&last().await),
        json!(["login", "failure", null, ada, "disabled"])
    );
    root.patch(&path, json!({"disabled": false}))
        .await
        .assert_status(200);
    assert_eq!(
        summary(&last().await),
        json!(["user_changed", "success", me, ada, "enabled"])
    );
    root.send(&Method::POST, &format!("{path}/logout"), |request| request)
        .await
        .assert_status(204);
    assert_eq!(
        summary(&last().await),
        json!(["user_logged_out", "success", me, ada, null])
    );
    root.patch(&path, json!({})).await.assert_status(200);
    assert_eq!(
        last().await["event"],
        "user_logged_out",
        "an empty change is not recorded"
    );
    root.delete(&path).await.assert_status(204);
    assert_eq!(
        summary(&last().await),
        json!(["user_deleted", "success", me, ada, null])
    );

    let mine = format!("/admin/users/{}", me.as_str().unwrap());
    root.patch(&mine, json!({"disabled": true}))
        .await
        .assert_problem(409, "last_admin");
    let record = newest(&service, "event=user_changed").await;
    assert_eq!(
        summary(&record),
        json!(["user_changed", "failure", me, me, "the last admin"])
    );
    root.delete(&mine).await.assert_problem(409, "last_admin");
    let record = newest(&service, "event=user_deleted").await;
    assert_eq!(
        summary(&record),
        json!(["user_deleted", "failure", me, me, "the last admin"])
    );

    let first = newest(&service, "event=first_admin").await;
    assert_eq!(summary(&first), json!(["first_admin", "success", null, me, null]));
    assert_eq!((&first["ip"], &first["request_id"]), (&json!(null), &json!(null)));
}

#[actix_web::test]
async fn failed_logins_replays_and_revocations_by_services_are_recorded() {
    let secret = random_secret();
    let vars = [
        ("ORDER_SERVICE_SECRET", secret.as_str()),
        ("LOGIN_FREE_FAILURES", "2"),
    ];
    let service = service_with(&vars).await;
    let ada = register(&service, "ada@example.com").await["id"].clone();
    let user = format!("user_id={}", ada.as_str().unwrap());
    let client = service.anonymous().with_basic_auth(CLIENT, &secret);
    let pair = logged_in(&service, "ada@example.com").await;
    revoke(&client, pair["access_token"].as_str().unwrap())
        .await
        .assert_status(200);
    let record = newest(&service, &user).await;
    assert_eq!(
        summary(&record),
        json!(["token_revoked", "success", null, ada, "by order-service"])
    );

    let pair = logged_in(&service, "ada@example.com").await;
    refresh(&service, &pair["refresh_token"]).await.assert_status(200);
    service.issuer().clock().advance(seconds(11));
    refresh(&service, &pair["refresh_token"]).await.assert_status(401);
    let record = newest(&service, &user).await;
    assert_eq!(
        summary(&record),
        json!(["refresh_replayed", "failure", null, ada, record["detail"]])
    );
    refresh(&service, &pair["refresh_token"]).await.assert_status(401);
    assert_eq!(count(&service, "event=refresh_replayed").await, 1);

    for _ in 0..5 {
        login(&service, "ada@example.com", "wrong").await;
        login(&service, "eve@example.com", "wrong").await;
    }
    let throttled = newest(&service, &format!("{user}&event=login_throttled")).await;
    assert_eq!(
        summary(&throttled),
        json!(["login_throttled", "failure", null, ada, "wrong password"])
    );
    assert_eq!(
        count(&service, "event=login_throttled").await,
        2,
        "one record per account, however many attempts follow"
    );
}

async fn count(service: &TestService, query: &str) -> usize {
    let root = logged_in_admin(service).await;
    let page = root
        .get(&format!("/admin/audit-log?limit=100&{query}"))
        .await
        .assert_status(200)
        .json();
    page["items"].as_array().unwrap().len()
}

#[actix_web::test]
async fn the_audit_log_is_paged_and_only_admins_can_read_it() {
    let service = service_behind_a_proxy().await;
    for number in 0..5 {
        register(&service, &format!("ada{number}@example.com")).await;
    }
    let root = logged_in_admin(&service).await;
    let mut seen = Vec::new();
    let mut path = "/admin/audit-log?event=registered&limit=2".to_owned();
    loop {
        let page = root.get(&path).await.assert_status(200).json();
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|record| record["id"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/admin/audit-log?event=registered&limit=2&cursor={cursor}");
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted_by(|one, next| one > next), "{seen:?}");

    for query in [
        "event=nonsense",
        "event=",
        "user_id=x",
        "user_id=01890A5D-AC96-774B-BCCE-B302099A8057",
    ] {
        root.get(&format!("/admin/audit-log?{query}"))
            .await
            .assert_problem(400, "invalid_query");
    }
    let unknown = "/admin/audit-log?user_id=01890a5d-ac96-774b-bcce-b302099a8057";
    root.get(unknown)
        .await
        .assert(200, json!({"items": [], "next_cursor": null}));
    let me = root.get("/users/me").await.json();
    assert_eq!(me["email"], ADMIN.0);
    let pair = logged_in(&service, "ada0@example.com").await;
    with_token(&service, &pair)
        .get("/admin/audit-log")
        .await
        .assert_problem(403, "forbidden");
}

#[actix_web::test]
async fn the_database_refuses_to_change_the_audit_log() {
    let service = service_behind_a_proxy().await;
    register(&service, "ada@example.com").await;
    let db = database(&service).await;
    for change in ["update audit_log set detail = 'x'", "delete from audit_log"] {
        let mut tx = db.begin().await.unwrap();
        let refused = on!(tx, conn => sqlx::query(change).execute(conn).await.map(drop)).unwrap_err();
        assert!(refused.to_string().contains("only ever added to"), "{refused}");
    }
    execute(&service, "insert into audit_log (id, at, event, outcome) select id, created_at, 'login', 'success' from users where email = 'ada@example.com'").await;
}
