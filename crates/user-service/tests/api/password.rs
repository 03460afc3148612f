//! Changing a password, and renewing its hash.

use serde_json::json;
use test_kit::{Client, TestResponse, TestService};

use crate::database::{execute, text};
use crate::{
    PASSWORD, logged_in, logged_in_ada, logged_in_admin, login, refresh, restart, seconds, service,
    service_with, with_token,
};

const HASH: &str = "select password_hash from users where email = 'ada@example.com'";
const NEW: &str = "a new password, ünd lönger";

async fn change(client: &Client, current: &str, new: &str) -> TestResponse {
    client
        .put(
            "/auth/password",
            json!({"current_password": current, "new_password": new}),
        )
        .await
}

#[actix_web::test]
async fn a_changed_password_ends_every_other_session() {
    let service = service().await;
    let (phone, ada) = logged_in_ada(&service).await;
    let laptop = logged_in(&service, "ada@example.com").await;
    change(&ada, PASSWORD, NEW).await.assert_status(204);

    ada.get("/users/me").await.assert_status(200);
    refresh(&service, &phone["refresh_token"])
        .await
        .assert_status(200);
    with_token(&service, &laptop)
        .get("/users/me")
        .await
        .assert_problem(401, "token_revoked");
    refresh(&service, &laptop["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
    login(&service, "ada@example.com", PASSWORD)
        .await
        .assert_problem(401, "invalid_credentials");
    login(&service, "ada@example.com", NEW).await.assert_status(200);
}

#[actix_web::test]
async fn an_invalid_change_of_password_is_refused_by_field() {
    let service = service().await;
    let (_, ada) = logged_in_ada(&service).await;
    for current in ["", "wrong", &PASSWORD.to_uppercase()] {
        change(&ada, current, NEW)
            .await
            .assert_invalid("current_password");
    }
    for new in ["", "short", "password1", "ada@example.com", &"x".repeat(129)] {
        change(&ada, PASSWORD, new).await.assert_invalid("new_password");
    }
    login(&service, "ada@example.com", PASSWORD)
        .await
        .assert_status(200);
    service
        .anonymous()
        .put("/auth/password", json!({}))
        .await
        .assert_problem(401, "no_token");
}

#[actix_web::test]
async fn wrong_current_passwords_are_throttled() {
    let service = service_with(&[("LOGIN_FREE_FAILURES", "3")]).await;
    let (_, ada) = logged_in_ada(&service).await;
    for _ in 0..3 {
        change(&ada, "wrong", NEW)
            .await
            .assert_invalid("current_password");
    }
    let refused = change(&ada, PASSWORD, NEW).await;
    refused.assert_problem(429, "too_many_attempts");
    assert_eq!(refused.header("retry-after"), "300");
    login(&service, "ada@example.com", PASSWORD)
        .await
        .assert_problem(429, "too_many_attempts");
    service.issuer().clock().advance(seconds(300));
    change(&ada, PASSWORD, NEW).await.assert_status(204);
}

#[actix_web::test]
async fn one_of_two_concurrent_changes_of_password_succeeds() {
    let service = service().await;
    let (_, ada) = logged_in_ada(&service).await;
    let changes = ["a password of mine", "another one of mine"].map(|new| change(&ada, PASSWORD, new));
    let responses = futures_util::future::join_all(changes).await;
    let done = responses.iter().filter(|response| response.status == 204).count();
    assert_eq!(done, 1);
    for refused in responses.iter().filter(|response| response.status != 204) {
        refused.assert_invalid("current_password");
    }

    let log = logged_in_admin(&service)
        .await
        .get("/admin/audit-log?event=password_changed")
        .await
        .json();
    let records = log["items"].as_array().unwrap();
    let mut outcomes: Vec<_> = records
        .iter()
        .map(|record| record["outcome"].as_str().unwrap())
        .collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["failure", "success"], "{log}");
}

#[actix_web::test]
async fn a_hash_with_another_cost_is_renewed_at_the_next_login() {
    let service = service().await;
    logged_in_ada(&service).await;
    let hash = async |service: &TestService| text(service, HASH).await;
    let first = hash(&service).await;
    assert!(first.contains("m=64,t=1,p=1"), "{first}");
    let service = restart(service, &[("ARGON2_MEMORY_KIB", "128"), ("ARGON2_PASSES", "2")]).await;
    login(&service, "ada@example.com", "wrong")
        .await
        .assert_problem(401, "invalid_credentials");
    assert_eq!(hash(&service).await, first, "a wrong password renews nothing");
    login(&service, "ada@example.com", PASSWORD)
        .await
        .assert_status(200);
    let renewed = hash(&service).await;
    assert!(renewed.contains("m=128,t=2,p=1"), "{renewed}");
    login(&service, "ada@example.com", PASSWORD)
        .await
        .assert_status(200);
    assert_eq!(hash(&service).await, renewed);
}

#[actix_web::test]
async fn concurrent_logins_that_renew_the_same_hash_all_succeed() {
    let service = service().await;
    logged_in_ada(&service).await;
    let service = restart(service, &[("ARGON2_MEMORY_KIB", "128"), ("ARGON2_PASSES", "2")]).await;
    let logins = (0..8).map(|_| login(&service, "ada@example.com", PASSWORD));
    for response in futures_util::future::join_all(logins).await {
        response.assert_status(200);
    }
    let renewed = text(&service, HASH).await;
    assert!(renewed.contains("m=128,t=2,p=1"), "{renewed}");
}

#[actix_web::test]
async fn a_hash_with_an_absurd_cost_is_refused() {
    let service = service().await;
    logged_in_ada(&service).await;
    let absurd_cost = "update users set password_hash = replace(password_hash, 'm=64', 'm=4000000000') \
                  where email = 'ada@example.com'";
    execute(&service, absurd_cost).await;
    login(&service, "ada@example.com", PASSWORD)
        .await
        .assert_problem(401, "invalid_credentials");
}
