//! Secrets do not appear in `Debug` output or errors.

use std::error::Error;
use std::fmt::Debug;

use auth::{CallError, ServiceClient, ServiceCredentials};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

use crate::fake_server::{FakeServer, close, respond, send_bytes};
use crate::fixture::{issue_tokens, ok};

const SECRET: &str = "not-a-secret-that-anyone-may-read";

/// All texts of an error and its causes.
fn all_texts(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes
        .flat_map(|error| [format!("{error}"), format!("{error:?}"), format!("{error:#?}")])
        .collect()
}

fn assert_error_hides_secrets(error: &dyn Error) {
    let text = all_texts(error);
    assert_hides_secrets(&text);
    // A configured URL may contain a secret in its query.
    assert!(!text.contains("in-the-query"), "{text}");
}

fn assert_hides_secrets(text: &str) {
    let basic = STANDARD.encode(format!("order-service:{SECRET}"));
    for hidden in [SECRET, &basic, "token-1"] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
}

fn assert_debug_hides_secrets(value: &impl Debug) {
    assert_hides_secrets(&format!("{value:?} {value:#?}"));
}

fn client(tokens: &FakeServer, neighbour: &FakeServer) -> ServiceClient {
    let url = tokens.url("/oauth/token?key=in-the-query");
    let credentials = ServiceCredentials::new("order-service", SecretString::from(SECRET), url);
    let builder = ServiceClient::builder(&credentials, "thing-service", &neighbour.url(""));
    assert_debug_hides_secrets(&credentials);
    assert_debug_hides_secrets(&builder);
    builder.build().unwrap()
}

#[tokio::test]
async fn debug_of_a_client_and_its_calls_hides_secrets() {
    let (tokens, neighbour) = (FakeServer::start(issue_tokens(900)), FakeServer::start(ok));
    let client = client(&tokens, &neighbour);
    let call = client.post("/").json(&1);
    assert_debug_hides_secrets(&client);
    assert_debug_hides_secrets(&call);
    assert_debug_hides_secrets(&call.send().await.unwrap());
    assert_debug_hides_secrets(&client);
}

#[tokio::test]
async fn errors_hide_secrets() {
    for action in [
        close(),
        respond(401, ""),
        respond(200, "{"),
        send_bytes("garbage"),
        respond(500, ""),
    ] {
        let broken_tokens = (FakeServer::start(move |_| action.clone()), FakeServer::start(ok));
        let error = client(&broken_tokens.0, &broken_tokens.1)
            .get("/")
            .send()
            .await
            .unwrap_err();
        assert!(matches!(error, CallError::NoToken(_)));
        assert_error_hides_secrets(&error);
    }
    let broken_neighbour = (
        FakeServer::start(issue_tokens(900)),
        FakeServer::start(|_| close()),
    );
    let client = client(&broken_neighbour.0, &broken_neighbour.1);
    for _ in 0..5 {
        assert_error_hides_secrets(&client.get("/").send().await.unwrap_err());
    }
}
