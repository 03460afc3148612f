//! Tokens for services.

use std::collections::HashSet;

use auth::{AuthError, Principal, TokenFault};
use futures_util::future::join_all;
use serde_json::json;

use crate::oauth::{CLIENT, House, ask_for_stock};
use crate::{ada, seconds, with_token};

#[actix_web::test]
async fn a_service_gets_a_token_for_one_that_it_calls() {
    let house = House::new().await;
    let answer = ask_for_stock(&house.orders).await;
    answer.assert(200, json!({"token_type": "Bearer", "expires_in": 900}));
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(
        (answer.header("cache-control"), answer.header("pragma")),
        ("no-store", "no-cache")
    );
    assert_eq!(answer.json().as_object().unwrap().len(), 3);
}

#[actix_web::test]
async fn the_token_is_good_at_that_service_and_nowhere_else() {
    let house = House::new().await;
    let token = house.token_for_stock().await;
    let verified = house
        .verifier_of("inventory-service")
        .await
        .verify_with_held_keys(&token);
    let Ok(Principal::Service(service)) = verified else {
        panic!("{verified:?}")
    };
    assert!(service.is(CLIENT) && !service.has_scope("orders:write"));

    for elsewhere in ["product-service", "user-service", "order-service", "platform"] {
        let verified = house.verifier_of(elsewhere).await.verify_with_held_keys(&token);
        assert_eq!(
            verified,
            Err(AuthError::InvalidToken(TokenFault::Audience)),
            "{elsewhere}"
        );
    }
    let as_a_person = with_token(&house.users, &json!({"access_token": token}));
    as_a_person
        .get("/users/me")
        .await
        .assert_problem(401, "invalid_token");
}

#[actix_web::test]
async fn a_token_ends_and_each_is_another() {
    let house = House::with(&[("ACCESS_TOKEN_TTL", "60s")]).await;
    ask_for_stock(&house.orders)
        .await
        .assert(200, json!({"expires_in": 60}));
    let mut tokens = HashSet::new();
    for _ in 0..3 {
        tokens.insert(house.token_for_stock().await);
    }
    assert_eq!(tokens.len(), 3);
    let stock = house.verifier_of("inventory-service").await;
    house.users.issuer().clock().advance(seconds(90));
    for token in tokens {
        assert_eq!(stock.verify_with_held_keys(&token), Err(AuthError::Expired));
    }
}

#[actix_web::test]
async fn whom_a_service_may_call_stands_in_the_register() {
    let house = House::new().await;
    let ask = async |client: &test_kit::Client, audience: &str| {
        client
            .post_form(
                "/oauth/token",
                &format!("grant_type=client_credentials&audience={audience}"),
            )
            .await
    };
    for allowed in ["product-service", "inventory-service", "user-service"] {
        ask(&house.orders, allowed).await.assert_status(200);
    }
    ask(&house.stock, "product-service").await.assert_status(200);
    for refused in [
        "order-service",
        "inventory-service",
        "platform",
        "*",
        "Product-Service",
        "a%20b",
    ] {
        ask(&house.stock, refused)
            .await
            .assert_oauth_error(400, "invalid_target");
    }
}

#[actix_web::test]
async fn what_is_not_asked_for_rightly_is_refused() {
    let house = House::new().await;
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
        house
            .orders
            .post_form("/oauth/token", form)
            .await
            .assert_oauth_error(400, error);
    }
    for form in [
        "grant_type=client_credentials&audience=inventory-service&scope=&resource=x",
        "audience=inventory%2Dservice&grant_type=client%5Fcredentials&client_id=order-service",
    ] {
        house
            .orders
            .post_form("/oauth/token", form)
            .await
            .assert_status(200);
    }
}

#[actix_web::test]
async fn only_posts_are_answered() {
    let house = House::new().await;
    for path in ["/oauth/token", "/oauth/introspect", "/oauth/revoke"] {
        let query = format!("{path}?grant_type=client_credentials&audience=inventory-service");
        let answer = house.orders.get(&query).await;
        assert_eq!(
            answer.assert_problem(405, "method_not_allowed").header("allow"),
            "POST"
        );
        // What stands in the query is not looked at.
        let answer = house.orders.post_form(&query, "").await;
        answer.assert_oauth_error(400, "invalid_request");
    }
    house
        .orders
        .get("/oauth/authorize")
        .await
        .assert_problem(404, "not_found");
}

#[actix_web::test]
async fn a_stranger_is_refused_before_anything_of_the_body_has_come() {
    let house = House::new().await;
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
    for answer in join_all(requests.iter().map(|request| house.users.raw(request.as_bytes()))).await {
        assert!(
            answer.starts_with("HTTP/1.1 401 ") && answer.contains("invalid_client"),
            "{answer}"
        );
    }
}

#[actix_web::test]
async fn a_persons_token_is_no_secret() {
    let house = House::new().await;
    let (pair, ada) = ada(&house.users).await;
    ask_for_stock(&ada)
        .await
        .assert_oauth_error(401, "invalid_client");
    let token = pair["access_token"].as_str().unwrap();
    let posing = house.users.anonymous().with_basic_auth(CLIENT, token);
    ask_for_stock(&posing)
        .await
        .assert_oauth_error(401, "invalid_client");
    let person = house
        .users
        .anonymous()
        .with_basic_auth("ada%40example.com", "correct+horse+battery");
    ask_for_stock(&person)
        .await
        .assert_oauth_error(401, "invalid_client");
}
