//! Logging out everywhere.

use std::time::{Duration, Instant};

use actix_web::http::Method;
use serde_json::json;

use crate::database::number;
use crate::{PASSWORD, ada, login, refresh, register, replica, restart, seconds, service, with_token};

#[actix_web::test]
async fn logging_out_everywhere_ends_every_session_of_one_person() {
    let service = service().await;
    let (phone, ada) = ada(&service).await;
    let laptop = login(&service, "ada@example.com", PASSWORD).await.json();
    register(&service, "bob@example.com").await;
    let bob = login(&service, "bob@example.com", PASSWORD).await.json();

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

    // What comes after is good.
    let next = login(&service, "ada@example.com", PASSWORD)
        .await
        .assert_status(200)
        .json();
    with_token(&service, &next)
        .get("/users/me")
        .await
        .assert_status(200);
}

#[actix_web::test]
async fn it_outlives_a_restart_for_as_long_as_a_token_could_be_shown() {
    let service = service().await;
    let (_, ada) = ada(&service).await;
    service.issuer().clock().advance(seconds(600));
    ada.send(&Method::POST, "/auth/logout-all", |request| request)
        .await
        .assert_status(204);

    let service = restart(service, &[]).await;
    ada.at(&service)
        .get("/users/me")
        .await
        .assert_problem(401, "token_revoked");
    service.issuer().clock().advance(seconds(300 + 29));
    ada.at(&service)
        .get("/users/me")
        .await
        .assert_problem(401, "token_revoked");
    let service = restart(service, &[]).await;
    ada.at(&service)
        .get("/users/me")
        .await
        .assert_problem(401, "token_revoked");
}

#[actix_web::test]
async fn what_is_taken_back_is_remembered_for_longer_than_any_token_of_it_is_good() {
    let service = service().await;
    let (_, phone) = ada(&service).await;
    let laptop = login(&service, "ada@example.com", PASSWORD).await.json();
    with_token(&service, &laptop)
        .post("/auth/logout", json!({"refresh_token": ""}))
        .await
        .assert_status(204);
    phone
        .send(&Method::POST, "/auth/logout-all", |request| request)
        .await
        .assert_status(204);
    for (kind, whose) in [("session", "id"), ("user", "user_id")] {
        let sql = format!(
            "select count(*) from revocations join sessions on sessions.{whose} = revocations.id
             where kind = '{kind}' and revocations.expires_at > access_expires_at"
        );
        let expected = if kind == "user" { 2 } else { 1 };
        assert_eq!(number(&service, &sql).await, expected, "{kind}");
    }
}

#[actix_web::test]
async fn other_replicas_hear_of_it() {
    let service = service().await;
    let other = replica(&service, &[]);
    let (pair, ada) = ada(&service).await;
    let there = ada.at(&other);
    there.get("/users/me").await.assert_status(200);
    ada.send(&Method::POST, "/auth/logout-all", |request| request)
        .await
        .assert_status(204);
    refresh(&other, &pair["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
    let begun = Instant::now();
    while there.get("/users/me").await.status == 200 {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "the other replica hears nothing"
        );
    }
    there.get("/users/me").await.assert_problem(401, "token_revoked");

    let next = login(&other, "ada@example.com", PASSWORD)
        .await
        .assert_status(200)
        .json();
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
            begun.elapsed() < Duration::from_secs(20),
            "this replica hears nothing"
        );
    }
}
