//! The first token: one request, as RFC 6749 §4.4 requires, and a checked response.

use std::time::Duration;

use auth::{CallError, ServiceClient, ServiceCredentials, TokenError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use secrecy::SecretString;
use serde_json::json;

use crate::fake_server::{Action, FakeServer, close, hang, respond, send_bytes};
use crate::fixture::{Fixture, SECRET, issue_token, issue_tokens, ok, script};
use crate::received::ReceivedRequest;
use crate::time::{advance, at_once};

#[tokio::test]
async fn a_hundred_first_calls_wait_for_one_token() {
    let fixture = Fixture::with_neighbour(ok);
    assert!(
        fixture.tokens.received().is_empty(),
        "a token was fetched before the first call"
    );
    let responses = join_all((0..100).map(|_| fixture.get())).await;

    assert!(
        responses
            .iter()
            .all(|response| response.as_ref().unwrap().status() == 200)
    );
    assert_eq!((fixture.tokens.count(), fixture.neighbour.count()), (1, 100));
    let received = fixture.neighbour.received();
    assert!(
        received
            .iter()
            .all(|request| request.header("authorization") == Some("Bearer token-1"))
    );
}

#[tokio::test]
async fn the_token_request_follows_the_standard() {
    let fixture = Fixture::with_neighbour(ok);
    fixture.status().await;
    let request = fixture.tokens.received().remove(0);
    assert_eq!(request.line, "POST /oauth/token");
    assert_eq!(
        request.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(
        request.body,
        "grant_type=client_credentials&audience=thing-service"
    );
    assert_eq!(
        basic_credentials(&request),
        "order-service:not-a-secret%3A+100%25+%2B+f%C3%BCr"
    );
}

#[tokio::test]
async fn names_are_encoded_in_the_token_request() {
    let (tokens, neighbour) = (FakeServer::start(issue_tokens(900)), FakeServer::start(ok));
    let credentials = ServiceCredentials::new("a:b c%", SecretString::from(SECRET), tokens.url("/"));
    let client = ServiceClient::builder(&credentials, "a&b=c", &neighbour.url(""))
        .build()
        .unwrap();
    client.get("/").send().await.unwrap();
    let request = tokens.received().remove(0);
    assert_eq!(basic_credentials(&request).split(':').next(), Some("a%3Ab+c%25"));
    assert!(request.body.ends_with("&audience=a%26b%3Dc"), "{}", request.body);
}

fn basic_credentials(request: &ReceivedRequest) -> String {
    let basic = request
        .header("authorization")
        .unwrap()
        .strip_prefix("Basic ")
        .unwrap();
    String::from_utf8(STANDARD.decode(basic).unwrap()).unwrap()
}

/// The error of a first call if the token endpoint takes this action.
async fn error_for(action: Action) -> TokenError {
    let fixture = Fixture::new(FakeServer::start(script([action])), FakeServer::start(ok));
    let outcome = at_once(fixture.get()).await;
    assert_eq!(fixture.neighbour.count(), 0);
    match outcome {
        Err(CallError::NoToken(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_malformed_token_response_is_refused() {
    let good = json!({"access_token": "a", "token_type": "Bearer", "expires_in": 900});
    let with = |name: &str, value: serde_json::Value| {
        let mut body = good.clone();
        body[name] = value;
        respond(200, &body.to_string())
    };
    for wrong in [
        with("token_type", json!("mac")),
        with("token_type", json!(null)),
        with("access_token", json!(null)),
        with("access_token", json!("a\nb")),
        with("access_token", json!(["a"])),
        with("expires_in", json!(null)),
        with("expires_in", json!(0)),
        with("expires_in", json!(-1)),
        with("expires_in", json!("900")),
        with("padding", json!("a".repeat(64 * 1024))),
        respond(200, "<html>"),
        respond(200, ""),
        respond(200, "[]"),
        respond(204, ""),
    ] {
        assert_eq!(error_for(wrong).await, TokenError::InvalidResponse);
    }
    for right in [
        respond(200, &good.to_string()),
        respond(201, &good.to_string()),
        with("token_type", json!("bEARER")),
    ] {
        assert_eq!(
            Fixture::new(FakeServer::start(script([right])), FakeServer::start(ok))
                .status()
                .await,
            200
        );
    }
}

#[tokio::test]
async fn a_refusal_is_reported_with_status_and_code() {
    let elsewhere = FakeServer::start(issue_tokens(900));
    let redirect = format!(
        "HTTP/1.1 307 X\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
        elsewhere.url("/")
    );
    for (action, status, code) in [
        (
            respond(401, r#"{"error": "invalid_client", "error_description": "-"}"#),
            401,
            "invalid_client",
        ),
        (
            respond(400, r#"{"error": "invalid_target"}"#),
            400,
            "invalid_target",
        ),
        (respond(403, r#"{"error": {"code": 7}}"#), 403, ""),
        (respond(500, "<html>"), 500, ""),
        (send_bytes(redirect), 307, ""),
    ] {
        assert_eq!(
            error_for(action).await,
            TokenError::Refused {
                status,
                code: code.to_owned()
            }
        );
    }
    assert_eq!(elsewhere.count(), 0, "a redirect is not followed");
}

#[tokio::test]
async fn a_missing_response_is_reported_with_its_cause() {
    for action in [
        close(),
        send_bytes("HTTP/1.1 200 X\r\ncontent-length: 99\r\n\r\n{").then_close(),
        send_bytes("\0\0\0\n\n"),
    ] {
        let error = error_for(action).await;
        assert!(
            matches!(&error, TokenError::NoResponse(cause) if !cause.is_empty()),
            "{error:?}"
        );
    }
    let fixture = Fixture::new(FakeServer::stopped(issue_tokens(900)), FakeServer::start(ok));
    let error = at_once(fixture.get()).await.unwrap_err().to_string();
    assert!(error.contains("refused"), "{error}");
}

#[tokio::test]
async fn a_hanging_token_endpoint_delays_only_the_first_calls() {
    let fixture = Fixture::new(FakeServer::start(script([hang()])), FakeServer::start(ok));
    let client = fixture.client.clone();
    let first = tokio::spawn(async move { client.get("/things").send().await });
    fixture.tokens.until_received(1).await;
    advance(3.0).await;
    let is_no_answer = |outcome| matches!(outcome, Err(CallError::NoToken(TokenError::NoResponse(_))));
    assert!(is_no_answer(at_once(first).await.unwrap()));
    for _ in 0..3 {
        assert!(is_no_answer(
            tokio::time::timeout(Duration::from_millis(500), fixture.get())
                .await
                .unwrap()
        ));
    }
    assert_eq!(fixture.neighbour.count(), 0);
}

#[tokio::test]
async fn calls_succeed_soon_after_the_token_endpoint_recovers() {
    let mut fixture = Fixture::new(FakeServer::stopped(issue_tokens(900)), FakeServer::start(ok));
    for _ in 0..5 {
        assert!(matches!(at_once(fixture.get()).await, Err(CallError::NoToken(_))));
        advance(60.0).await;
    }
    fixture.tokens.listen();
    advance(2.0).await;
    fixture.until_successful().await;
    assert_eq!(fixture.tokens.count(), 1);
}

#[tokio::test]
async fn calls_without_a_token_succeed_while_no_token_is_available() {
    let fixture = Fixture::new(
        FakeServer::start(|request| issue_token(request, 900)),
        FakeServer::start(ok),
    );
    assert_eq!(
        fixture
            .client
            .get("/things")
            .without_token()
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    assert_eq!(fixture.tokens.count(), 0);
    let fixture = Fixture::new(FakeServer::stopped(issue_tokens(900)), FakeServer::start(ok));
    assert!(fixture.get().await.is_err());
    for _ in 0..3 {
        let response = at_once(fixture.client.get("/things").without_token().send())
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
    }
    assert!(
        fixture
            .neighbour
            .received()
            .iter()
            .all(|request| request.header("authorization").is_none())
    );
}
