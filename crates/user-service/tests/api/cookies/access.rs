//! The access cookie as a credential.

use serde_json::json;

use super::{ACCESS, ada_with_cookies, logged_in_with_cookies, page, set_cookies};
use crate::{logged_in_ada, register, seconds, service};

#[actix_web::test]
async fn a_cookie_that_is_not_a_token_counts_as_none_and_is_removed() {
    let service = service().await;
    let (pair, ada) = logged_in_ada(&service).await;
    let token = pair["access_token"].as_str().unwrap();
    let stranger = service.issuer().as_user().token();
    for bad in [
        format!("{ACCESS}={token}; {ACCESS}={token}"),
        format!("{ACCESS}="),
        format!("{ACCESS}={}", &token[..token.len() - 4]),
        format!("{ACCESS}={stranger}"),
        format!("{ACCESS}={}", "a".repeat(9_000)),
    ] {
        let removal = [format!("{ACCESS}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax")];
        let response = page(&service, &bad).get("/users/me").await;
        response.assert_problem(401, "no_token");
        assert_eq!(set_cookies(&response), removal);
        // A bearer token beside it decides alone.
        let response = ada.with("cookie", &bad).get("/users/me").await;
        response.assert_status(200);
        assert_eq!(set_cookies(&response), removal);
        let response = ada
            .with("cookie", &bad)
            .patch("/users/me", json!({"name": "Ada"}))
            .await;
        response.assert_status(200);
        let response = ada
            .with_token("nonsense")
            .with("cookie", &bad)
            .get("/users/me")
            .await;
        response.assert_problem(401, "invalid_token");
        assert_eq!(set_cookies(&response), removal);
    }
}

#[actix_web::test]
async fn an_expired_or_revoked_cookie_is_kept_so_that_the_page_refreshes() {
    let service = service().await;
    let cookies = ada_with_cookies(&service).await;
    let ended = logged_in_with_cookies(&service, "ada@example.com").await;
    super::post(&ended.page(&service), "/auth/logout")
        .await
        .assert_status(204);
    let response = ended.page(&service).get("/users/me").await;
    response.assert_problem(401, "token_revoked");
    assert!(set_cookies(&response).is_empty());

    service.issuer().clock().advance(seconds(1_000));
    let page = cookies.page(&service);
    let response = page.get("/users/me").await;
    response.assert_problem(401, "token_expired");
    assert!(set_cookies(&response).is_empty());
    page.get("/auth/current-user")
        .await
        .assert(200, json!({"current_user": null}));
    super::post(&page, "/auth/refresh").await.assert_status(200);
}

#[actix_web::test]
async fn a_bearer_token_and_a_cookie_must_have_the_same_token() {
    let service = service().await;
    let cookies = ada_with_cookies(&service).await;
    let again = logged_in_with_cookies(&service, "ada@example.com").await;
    register(&service, "bob@example.com").await;
    let bob = logged_in_with_cookies(&service, "bob@example.com").await;
    let page = cookies.page(&service);
    for path in ["/users/me", "/auth/current-user"] {
        page.with_token(&cookies.access)
            .get(path)
            .await
            .assert_status(200);
        // For the same user and for another one, and also if the bearer token is none.
        for other in [again.access.as_str(), &bob.access, "nonsense", ""] {
            let response = page.with_token(other).get(path).await;
            response.assert_problem(400, "invalid_request");
            assert!(set_cookies(&response).is_empty());
        }
    }
    // Another scheme is no bearer token.
    page.with("authorization", "Basic YTpi")
        .get("/users/me")
        .await
        .assert_status(200);
    // An expired token in the cookie is a token, too.
    service.issuer().clock().advance(seconds(1_000));
    let fresh = logged_in_with_cookies(&service, "ada@example.com").await;
    page.with_token(&fresh.access)
        .get("/users/me")
        .await
        .assert_problem(400, "invalid_request");
}
