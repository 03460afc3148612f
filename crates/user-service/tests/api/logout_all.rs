//! Logout from all sessions.

use std::time::{Duration, Instant};

use actix_web::http::Method;
use serde_json::json;

use crate::database::number;
use crate::{logged_in, logged_in_ada, refresh, register, replica, restart, seconds, service, with_token};

#[actix_web::test]
async fn logout_all_ends_every_session_of_one_user() {
    let service = service().await;
    let (phone, ada) = logged_in_ada(&service).await;
    let laptop = logged_in(&service, "ada@example.com").await;
    register(&service, "bob@example.com").await;
    let bob = logged_in(&service, "bob@example.com").await;

    ada.send(&Method::POST, "/auth/logout-all", |request| request)
        .await
        .assert_status(204);
    for pair in [&phone, &laptop] {
        with_token(&service, pair)
            .get("/users/me")
            .await
            .assert_problem(401, "token_revoked");
        refresh(&service, &pair["refresh_token"])
            .await
            .assert_problem(401, "invalid_refresh_token");
    }
    with_token(&service, &bob)
        .get("/users/me")
        .await
        .assert_status(200);
    refresh(&service, &bob["refresh_token"]).await.assert_status(200);

    // A later login is not affected.
    let next = logged_in(&service, "ada@example.com").await;
    with_token(&service, &next)
        .get("/users/me")
        .await
        .assert_status(200);
}

#[actix_web::test]
async fn logout_all_survives_a_restart_until_the_last_token_expires() {
    let service = service().await;
    let (_, ada) = logged_in_ada(&service).await;
    service.issuer().clock().advance(seconds(600));
    ada.send(&Method::POST, "/auth/logout-all", |request| request)
        .await
        .assert_status(204);

    let service = restart(service, &[]).await;
    ada.at(service.anonymous())
        .get("/users/me")
        .await
        .assert_problem(401, "token_revoked");
    service.issuer().clock().advance(seconds(300 + 29));
    ada.at(service.anonymous())
        .get("/users/me")
        .await
        .assert_problem(401, "token_revoked");
    let service = restart(service, &[]).await;
    ada.at(service.anonymous())
        .get("/users/me")
        .await
        .assert_problem(401, "token_revoked");
}

#[actix_web::test]
async fn a_revocation_outlives_the_tokens_that_it_revokes() {
    let service = service().await;
    let (_, phone) = logged_in_ada(&service).await;
    let laptop = logged_in(&service, "ada@example.com").await;
    with_token(&service, &laptop)
        .post("/auth/logout", json!({"refresh_token": ""}))
        .await
        .assert_status(204);
    phone
        .send(&Method::POST, "/auth/logout-all", |request| request)
        .await
        .assert_status(204);
    for (kind, column) in [("session", "id"), ("user", "user_id")] {
        let sql = format!(
            "select count(*) from revocations join sessions on sessions.{column} = revocations.id
             where kind = '{kind}' and revocations.expires_at > access_expires_at"
        );
        let expected = if kind == "user" { 2 } else { 1 };
        assert_eq!(number(&service, &sql).await, expected, "{kind}");
    }
}

#[actix_web::test]
async fn logout_all_reaches_other_replicas() {
    let service = service().await;
    let other = replica(&service, &[]);
    let (pair, ada) = logged_in_ada(&service).await;
    let at_other = ada.at(other.anonymous());
    at_other.get("/users/me").await.assert_status(200);
    ada.send(&Method::POST, "/auth/logout-all", |request| request)
        .await
        .assert_status(204);
    refresh(&other, &pair["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
    let started = Instant::now();
    while at_other.get("/users/me").await.status == 200 {
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "the other replica did not apply the revocation in time"
        );
    }
    at_other
        .get("/users/me")
        .await
        .assert_problem(401, "token_revoked");

    let next = logged_in(&other, "ada@example.com").await;
    with_token(&service, &next)
        .get("/users/me")
        .await
        .assert_status(200);
    with_token(&other, &next)
        .post("/auth/logout", serde_json::json!({"refresh_token": ""}))
        .await
        .assert_status(204);
    while with_token(&service, &next).get("/users/me").await.status == 200 {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "this replica did not apply the revocation in time"
        );
    }
}
