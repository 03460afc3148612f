//! Credentials that are not those of a registered client.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::FORM;
use crate::client::Client;
use crate::contract::target::Target;
use crate::response::TestResponse;

/// The body is invalid each time: the client must be refused before the body is parsed.
const INVALID_FORM: &str = "a=1&a=2";

pub(super) async fn check(target: &Target<'_>) {
    let service = target.service;
    let user = service.user_token("ada", &["user", "admin"]).token();
    let order_service = service.issuer().as_service("order-service").token();
    let basic = |pair: &[u8]| format!("Basic {}", STANDARD.encode(pair));
    for value in [
        "Basic".to_owned(),
        "Basic ".to_owned(),
        "Basic !".to_owned(),
        "Basic YTpi, Basic YTpi".to_owned(),
        "Negotiate".to_owned(),
        format!("Bearer {user}"),
        format!("Bearer {order_service}"),
        basic(b""),
        basic(b":"),
        basic(b"order-service"),
        basic(b"order-service:"),
        basic(b"order-service:wrong"),
        basic(b"\xff:\xff"),
        basic(b"%ff:%00"),
        basic(b"'or 1=1--:x"),
        basic("x".repeat(8_000).as_bytes()),
    ] {
        let client = service.anonymous().with("authorization", &value);
        let response = send_form(target, &client).await;
        response.assert_oauth_error(401, "invalid_client");
    }

    let anonymous = service.anonymous();
    let response = send_form(target, anonymous).await;
    response.assert_oauth_error(401, "invalid_client");
    let response = target.send(anonymous, |request| request.json(&json!({}))).await;
    response.assert_oauth_error(401, "invalid_client");

    let twice = service.registered_client().with("authorization", "Basic YTpi");
    let response = send_form(target, &twice).await;
    response.assert_oauth_error(400, "invalid_request");
}

async fn send_form(target: &Target<'_>, client: &Client) -> TestResponse {
    let build = |request: reqwest::RequestBuilder| request.header("content-type", FORM).body(INVALID_FORM);
    target.send(client, build).await
}
