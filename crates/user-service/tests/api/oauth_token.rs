//! Service tokens (RFC 6749 §4.4).

use std::collections::HashSet;

use auth::{AuthError, Principal, TokenFault};
use futures_util::future::join_all;
use serde_json::json;

use crate::oauth::{CLIENT, OAuthFixture, request_inventory_token};
use crate::{logged_in_ada, seconds, with_token};

#[actix_web::test]
async fn a_service_gets_a_token_for_a_service_that_it_calls() {
    let fixture = OAuthFixture::new().await;
    let response = request_inventory_token(&fixture.orders).await;
    response.assert(200, json!({"token_type": "Bearer", "expires_in": 900}));
    assert_eq!(response.header("content-type"), "application/json");
    assert_eq!(
        (response.header("cache-control"), response.header("pragma")),
        ("no-store", "no-cache")
    );
    assert_eq!(response.json().as_object().unwrap().len(), 3);
}

#[actix_web::test]
async fn a_service_token_is_valid_at_its_audience_only() {
    let fixture = OAuthFixture::new().await;
    let token = fixture.inventory_token().await;
    let verified = fixture
        .verifier_of("inventory-service")
        .await
        .verify_with_current_keys(&token);
    let Ok(Principal::Service(service)) = verified else {
        panic!("{verified:?}")
    };
    assert!(service.is(CLIENT));

    for elsewhere in ["product-service", "user-service", "order-service", "platform"] {
        let verified = fixture
            .verifier_of(elsewhere)
            .await
            .verify_with_current_keys(&token);
        assert_eq!(
            verified,
            Err(AuthError::InvalidToken(TokenFault::Audience)),
            "{elsewhere}"
        );
    }
    let as_user = with_token(&fixture.users, &json!({"access_token": token}));
    as_user
        .get("/users/me")
        .await
        .assert_problem(401, "invalid_token");
}

#[actix_web::test]
async fn service_tokens_expire_and_are_all_different() {
    let fixture = OAuthFixture::with(&[("ACCESS_TOKEN_TTL", "60s")]).await;
    request_inventory_token(&fixture.orders)
        .await
        .assert(200, json!({"expires_in": 60}));
    let mut tokens = HashSet::new();
    for _ in 0..3 {
        tokens.insert(fixture.inventory_token().await);
    }
    assert_eq!(tokens.len(), 3);
    let inventory = fixture.verifier_of("inventory-service").await;
    fixture.users.issuer().clock().advance(seconds(90));
    for token in tokens {
        assert_eq!(
            inventory.verify_with_current_keys(&token),
            Err(AuthError::Expired)
        );
    }
}

#[actix_web::test]
async fn the_register_says_whom_a_service_may_call() {
    let fixture = OAuthFixture::new().await;
    let ask = async |client: &test_kit::Client, audience: &str| {
        client
            .post_form(
                "/oauth/token",
                &format!("grant_type=client_credentials&audience={audience}"),
            )
            .await
    };
    for allowed in ["product-service", "inventory-service", "user-service"] {
        ask(&fixture.orders, allowed).await.assert_status(200);
    }
    ask(&fixture.inventory, "product-service")
        .await
        .assert_status(200);
    for refused in [
        "order-service",
        "inventory-service",
        "platform",
        "*",
        "Product-Service",
        "a%20b",
    ] {
        ask(&fixture.inventory, refused)
            .await
            .assert_oauth_error(400, "invalid_target");
    }
}

#[actix_web::test]
async fn an_invalid_token_request_is_refused() {
    let fixture = OAuthFixture::new().await;
    for (form, error) in [
        ("", "invalid_request"),
        ("audience=inventory-service", "invalid_request"),
        ("grant_type=&audience=inventory-service", "invalid_request"),
        ("grant_type=client_credentials", "invalid_request"),
        ("grant_type=client_credentials&audience=", "invalid_request"),
        (
            "grant_type=client_credentials&audience=inventory-service&audience=product-service",
            "invalid_request",
        ),
        (
            "grant_type=client_credentials&grant_type=password&audience=inventory-service",
            "invalid_request",
        ),
        (
            "grant_type=client_credentials&audience=inventory-service&x=1&x=1",
            "invalid_request",
        ),
        (
            "grant_type=client_credentials&audience=inventory-service&client_secret=x",
            "invalid_request",
        ),
        (
            "grant_type=client_credentials&audience=inventory-service&client_id=inventory-service",
            "invalid_request",
        ),
        (
            "grant_type=password&username=ada&password=x",
            "unsupported_grant_type",
        ),
        (
            "grant_type=Client_Credentials&audience=inventory-service",
            "unsupported_grant_type",
        ),
        (
            "grant_type=refresh_token&refresh_token=x&audience=inventory-service",
            "unsupported_grant_type",
        ),
        (
            "grant_type=client_credentials&audience=inventory-service&scope=products:write",
            "invalid_scope",
        ),
    ] {
        fixture
            .orders
            .post_form("/oauth/token", form)
            .await
            .assert_oauth_error(400, error);
    }
    for form in [
        "grant_type=client_credentials&audience=inventory-service&scope=&resource=x",
        "audience=inventory%2Dservice&grant_type=client%5Fcredentials&client_id=order-service",
    ] {
        fixture
            .orders
            .post_form("/oauth/token", form)
            .await
            .assert_status(200);
    }
}

#[actix_web::test]
async fn the_oauth_endpoints_accept_only_post() {
    let fixture = OAuthFixture::new().await;
    for path in ["/oauth/token", "/oauth/introspect", "/oauth/revoke"] {
        let query = format!("{path}?grant_type=client_credentials&audience=inventory-service");
        let response = fixture.orders.get(&query).await;
        assert_eq!(
            response.assert_problem(405, "method_not_allowed").header("allow"),
            "POST"
        );
        // The query string is ignored.
        let response = fixture.orders.post_form(&query, "").await;
        response.assert_oauth_error(400, "invalid_request");
    }
    fixture
        .orders
        .get("/oauth/authorize")
        .await
        .assert_problem(404, "not_found");
}

#[actix_web::test]
async fn an_unauthenticated_client_is_refused_before_its_body_arrives() {
    let fixture = OAuthFixture::new().await;
    let mut requests = Vec::new();
    for path in ["/oauth/token", "/oauth/introspect", "/oauth/revoke"] {
        for header in [
            "",
            "authorization: Basic YTpi\r\n",
            "content-type: text/plain\r\n",
        ] {
            let length = "connection: close\r\ncontent-length: 999999999\r\n";
            requests.push(format!("POST {path} HTTP/1.1\r\nhost: a\r\n{length}{header}\r\n"));
        }
    }
    for response in join_all(
        requests
            .iter()
            .map(|request| fixture.users.raw(request.as_bytes())),
    )
    .await
    {
        assert!(
            response.starts_with("HTTP/1.1 401 ") && response.contains("invalid_client"),
            "{response}"
        );
    }
}

#[actix_web::test]
async fn a_users_credentials_do_not_authenticate_a_client() {
    let fixture = OAuthFixture::new().await;
    let (pair, ada) = logged_in_ada(&fixture.users).await;
    request_inventory_token(&ada)
        .await
        .assert_oauth_error(401, "invalid_client");
    let token = pair["access_token"].as_str().unwrap();
    let impostor = fixture.users.anonymous().with_basic_auth(CLIENT, token);
    request_inventory_token(&impostor)
        .await
        .assert_oauth_error(401, "invalid_client");
    let user = fixture
        .users
        .anonymous()
        .with_basic_auth("ada%40example.com", "correct+horse+battery");
    request_inventory_token(&user)
        .await
        .assert_oauth_error(401, "invalid_client");
}
