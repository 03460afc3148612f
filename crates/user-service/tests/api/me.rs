//! The current user: reading and renaming.

use serde_json::json;

use crate::{logged_in_ada, service, service_with_shared_secret};

#[actix_web::test]
async fn current_user_answers_every_caller() {
    let service = service().await;
    let (pair, ada) = logged_in_ada(&service).await;
    ada.get("/auth/current-user")
        .await
        .assert(200, json!({"current_user": pair["user"]}));
    for client in [
        service.anonymous().clone(),
        service.anonymous().with_token("x"),
        service.anonymous().with("authorization", "Basic x"),
    ] {
        client
            .get("/auth/current-user")
            .await
            .assert(200, json!({"current_user": null}));
    }
}

#[actix_web::test]
async fn a_user_sees_and_renames_themselves() {
    let service = service().await;
    let (pair, ada) = logged_in_ada(&service).await;
    let me = ada.get("/users/me").await;
    assert_eq!(me.assert_status(200).json(), pair["user"]);
    assert_eq!(me.header("cache-control"), "no-store");

    let name = "Augusta Ada King 🎩 <b>";
    ada.patch("/users/me", json!({"name": name}))
        .await
        .assert(200, json!({"name": name, "id": pair["user"]["id"]}));
    ada.get("/users/me")
        .await
        .assert(200, json!({"name": name, "email": "ada@example.com"}));
}

#[actix_web::test]
async fn a_user_can_change_only_their_name() {
    let service = service().await;
    let (pair, ada) = logged_in_ada(&service).await;
    for (field, value) in [
        ("name", json!("")),
        ("name", json!("x".repeat(101))),
        ("name", json!("a\u{0}")),
        ("name", json!(null)),
        ("roles", json!(["admin"])),
        ("email", json!("eve@example.com")),
        ("disabled", json!(false)),
        ("id", pair["user"]["id"].clone()),
    ] {
        let mut body = json!({"name": "Eve"});
        body[field] = value;
        ada.patch("/users/me", body).await.assert_invalid(field);
    }
    assert_eq!(ada.get("/users/me").await.json(), pair["user"]);
}

#[actix_web::test]
async fn a_valid_token_of_an_unknown_user_gets_not_found() {
    let service = service_with_shared_secret().await;
    service
        .user("ghost")
        .get("/users/me")
        .await
        .assert_problem(404, "user_not_found");
    service
        .user("ghost")
        .patch("/users/me", json!({"name": "Boo"}))
        .await
        .assert_problem(404, "user_not_found");
    service
        .user("ghost")
        .get("/auth/current-user")
        .await
        .assert(200, json!({"current_user": null}));
}
