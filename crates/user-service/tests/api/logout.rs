//! Logout.

use actix_web::http::Method;
use serde_json::{Value, json};
use test_kit::{Client, TestResponse};

use crate::{
    logged_in, logged_in_ada, refresh, refreshed, restart, seconds, service, service_with, with_token,
};

async fn logout(client: &Client) -> TestResponse {
    client
        .send(&Method::POST, "/auth/logout", |request| request)
        .await
}

#[actix_web::test]
async fn a_logout_ends_the_session_of_the_access_token() {
    let service = service().await;
    let (pair, ada) = logged_in_ada(&service).await;
    let other = logged_in(&service, "ada@example.com").await;
    logout(&ada).await.assert_status(204);
    let refused = ada.get("/users/me").await;
    refused.assert_problem(401, "token_revoked");
    assert!(
        refused
            .header("www-authenticate")
            .contains(r#"error="invalid_token""#)
    );
    ada.get("/auth/current-user")
        .await
        .assert(200, json!({"current_user": null}));
    refresh(&service, &pair["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
    with_token(&service, &other)
        .get("/users/me")
        .await
        .assert_status(200);
    logout(&ada).await.assert_status(204);
}

#[actix_web::test]
async fn a_logout_ends_the_session_of_a_refresh_token() {
    let service = service().await;
    let (first, ada) = logged_in_ada(&service).await;
    let second = refreshed(&service, &first).await;
    let body = |pair: &Value| json!({"refresh_token": pair["refresh_token"]});
    // The previous refresh token works too: the client may have lost the response with the newest.
    service
        .anonymous()
        .post("/auth/logout", body(&first))
        .await
        .assert_status(204);
    ada.get("/users/me").await.assert_problem(401, "token_revoked");
    with_token(&service, &second)
        .get("/users/me")
        .await
        .assert_problem(401, "token_revoked");
    refresh(&service, &second["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
    service
        .anonymous()
        .post("/auth/logout", body(&second))
        .await
        .assert_status(204);
}

#[actix_web::test]
async fn a_logout_with_an_expired_access_token_uses_the_refresh_token() {
    let service = service().await;
    let (pair, ada) = logged_in_ada(&service).await;
    service.issuer().clock().advance(seconds(1_000));
    ada.post("/auth/logout", json!({"refresh_token": pair["refresh_token"]}))
        .await
        .assert_status(204);
    refresh(&service, &pair["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
}

#[actix_web::test]
async fn a_logout_without_a_valid_token_succeeds_and_ends_nothing() {
    let service = service().await;
    let (pair, ada) = logged_in_ada(&service).await;
    logout(service.anonymous()).await.assert_status(204);
    logout(&service.anonymous().with_token("nonsense"))
        .await
        .assert_status(204);
    for empty in [
        "content-length: 0\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let request =
            format!("POST /auth/logout HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{empty}");
        let response = service.raw(request.as_bytes()).await;
        assert!(response.starts_with("HTTP/1.1 204"), "{empty:?}: {response}");
    }
    for token in ["", "nonsense", &"A".repeat(43)] {
        service
            .anonymous()
            .post("/auth/logout", json!({"refresh_token": token}))
            .await
            .assert_status(204);
    }
    ada.get("/users/me").await.assert_status(200);
    refresh(&service, &pair["refresh_token"]).await.assert_status(200);
}

#[actix_web::test]
async fn a_logout_survives_a_restart_with_a_shorter_token_lifetime() {
    let service = service_with(&[("ACCESS_TOKEN_TTL", "1h")]).await;
    let (_, ada) = logged_in_ada(&service).await;
    logout(&ada).await.assert_status(204);
    service.issuer().clock().advance(seconds(300));
    let service = restart(service, &[("ACCESS_TOKEN_TTL", "60s")]).await;
    ada.at(service.anonymous())
        .get("/users/me")
        .await
        .assert_problem(401, "token_revoked");
}

#[actix_web::test]
async fn a_logout_survives_a_restart() {
    let service = service().await;
    let (_, ada) = logged_in_ada(&service).await;
    logout(&ada).await.assert_status(204);
    let service = restart(service, &[]).await;
    let again = ada.at(service.anonymous());
    again.get("/users/me").await.assert_problem(401, "token_revoked");
    // The revocation expires together with the last access token of the session.
    service.issuer().clock().advance(seconds(900 + 31));
    again.get("/users/me").await.assert_problem(401, "token_expired");
}
