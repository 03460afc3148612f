//! Requests as they are sent.

use std::process::Command;

use auth::{CallError, ServiceClient, ServiceClientError, ServiceCredentials, TraceContext};
use secrecy::SecretString;
use serde_json::json;

use crate::fake_server::FakeServer;
use crate::fixture::{Fixture, SECRET, ok};
use crate::received::ReceivedRequest;

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn context(request: &ReceivedRequest) -> (Option<&str>, Option<&str>) {
    (request.header("x-request-id"), request.header("traceparent"))
}

#[tokio::test]
async fn a_call_names_its_service_and_carries_its_body() {
    let fixture = Fixture::with_neighbour(ok);
    fixture.get().await.unwrap();
    fixture
        .client
        .put("/things/1?a=b")
        .json(&json!({"a": "ä"}))
        .send()
        .await
        .unwrap();
    fixture.client.delete("/things/1").send().await.unwrap();

    let received = fixture.neighbour.received();
    assert!(
        received
            .iter()
            .all(|request| request.header("x-service-name") == Some("order-service"))
    );
    let sent: Vec<_> = received
        .iter()
        .map(|request| {
            (
                request.line.as_str(),
                request.header("content-type"),
                request.body.as_str(),
            )
        })
        .collect();
    let json = Some("application/json");
    let expected = [
        ("GET /things", None, ""),
        ("PUT /things/1?a=b", json, "{\"a\":\"ä\"}"),
        ("DELETE /things/1", None, ""),
    ];
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn a_call_carries_the_trace_context_of_its_request() {
    let fixture = Fixture::with_neighbour(ok);
    fixture.get().await.unwrap();
    TraceContext::new("an-id", Some(TRACE))
        .run(fixture.get())
        .await
        .unwrap();
    TraceContext::new("an-id", None).run(fixture.get()).await.unwrap();
    TraceContext::new("an\nid", Some("nonsense"))
        .run(fixture.get())
        .await
        .unwrap();
    let client = fixture.client.clone();
    let spawned = async { tokio::spawn(async move { client.get("/").send().await }).await };
    TraceContext::new("an-id", Some(TRACE))
        .run(spawned)
        .await
        .unwrap()
        .unwrap();

    let received = fixture.neighbour.received();
    let contexts: Vec<_> = received.iter().map(context).collect();
    let (id, trace) = (Some("an-id"), Some(TRACE));
    assert_eq!(
        contexts,
        [(None, None), (id, trace), (id, None), (None, None), (None, None)]
    );
    // The token is for all calls, so its request carries no trace context.
    assert_eq!(context(&fixture.tokens.received()[0]), (None, None));
}

#[tokio::test]
async fn no_path_reaches_another_origin() {
    let (fixture, elsewhere) = (Fixture::with_neighbour(ok), FakeServer::start(ok));
    let address = elsewhere.address;
    for path in [
        "",
        "things",
        &format!("@{address}/"),
        &format!("//{address}/"),
        &elsewhere.url("/"),
        "/../..",
    ] {
        fixture.client.get(path).send().await.unwrap();
    }
    let lines: Vec<_> = fixture
        .neighbour
        .received()
        .into_iter()
        .map(|request| request.line)
        .collect();
    let expected = [
        "GET /",
        "GET /things",
        &format!("GET /@{address}/"),
        &format!("GET //{address}/"),
        &format!("GET /http://{address}/"),
        "GET /",
    ];
    assert_eq!(lines, expected);
    assert_eq!(elsewhere.count(), 0);
}

#[tokio::test]
async fn a_body_that_is_not_json_is_not_sent() {
    let fixture = Fixture::with_neighbour(ok);
    let outcome = fixture
        .client
        .post("/")
        .json(&std::collections::HashMap::from([(vec![1], 1)]))
        .send()
        .await;
    assert!(matches!(outcome, Err(CallError::InvalidJson(_))));
    assert_eq!((fixture.neighbour.count(), fixture.tokens.count()), (0, 0));
}

#[test]
fn a_client_needs_valid_urls_and_a_valid_name() {
    let build = |name: &str, token_url: &str, origin: &str| {
        let credentials = ServiceCredentials::new(name, SecretString::from(SECRET), token_url);
        ServiceClient::builder(&credentials, "b", origin).build()
    };
    let good = "http://localhost:1";
    assert!(build("a", good, good).is_ok());
    for bad in ["", "localhost:1", "/", "ftp://localhost", "file:///", "http://"] {
        assert!(
            matches!(build("a", bad, good), Err(ServiceClientError::TokenUrl)),
            "{bad}"
        );
        assert!(
            matches!(build("a", good, bad), Err(ServiceClientError::Origin(_))),
            "{bad}"
        );
    }
    for bad in [
        "http://localhost:1/path",
        "http://localhost:1?a",
        "http://localhost:1/#a",
        "http://a@localhost:1",
    ] {
        assert!(
            matches!(build("a", good, bad), Err(ServiceClientError::Origin(_))),
            "{bad}"
        );
    }
    for spelling in ["http://localhost:1/", " http://localhost:1", "HTTP://LOCALHOST:1"] {
        assert!(build("a", good, spelling).is_ok(), "{spelling}");
    }
    assert!(matches!(build("a\nb", good, good), Err(ServiceClientError::Name)));
}

#[test]
fn proxy_variables_are_ignored() {
    let mut this = Command::new(std::env::current_exe().unwrap());
    this.args([
        "--exact",
        "requests::a_call_names_its_service_and_carries_its_body",
    ]);
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        this.env(name, "http://127.0.0.1:9");
    }
    let output = this
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    assert!(output.contains("1 passed"), "{output}");
}
