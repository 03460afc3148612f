//! The circuit: after consecutive failures, calls fail at once for a while.

use std::time::Duration;

use auth::CallError;
use futures_util::future::join_all;

use crate::fake_server::{FakeServer, close, hang, respond, send_bytes};
use crate::fixture::{Fixture, issue_tokens, ok, script};
use crate::time::{advance, at_once};

async fn assert_open(fixture: &Fixture) {
    let arrived = fixture.neighbour.count();
    assert!(fixture.client.circuit_open_for().is_some());
    for _ in 0..20 {
        match at_once(fixture.get()).await {
            Err(CallError::CircuitOpen(left)) => assert!(left <= Duration::from_secs(5)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        fixture.neighbour.count(),
        arrived,
        "a call was sent through an open circuit"
    );
}

/// Calls until the circuit opens, and returns the number of requests until then.
async fn requests_until_open(fixture: &Fixture) -> usize {
    let arrived = fixture.neighbour.count();
    for _ in 0..100 {
        if matches!(fixture.post().await, Err(CallError::CircuitOpen(_))) {
            assert_open(fixture).await;
            return fixture.neighbour.count() - arrived;
        }
    }
    panic!("the circuit stays closed");
}

#[tokio::test]
async fn ten_consecutive_failures_of_any_kind_open_the_circuit() {
    for action in [
        close(),
        respond(500, ""),
        respond(503, ""),
        send_bytes("garbage\n\n\n\n").then_close(),
    ] {
        assert_eq!(
            requests_until_open(&Fixture::with_neighbour(script([action]))).await,
            10
        );
    }
}

#[tokio::test]
async fn timeouts_of_attempts_and_of_calls_open_the_circuit() {
    for (attempt, call) in [(100, 60_000), (60_000, 100)] {
        let fixture = Fixture::with_neighbour(ok).timeouts(attempt, call);
        fixture.until_successful().await;
        fixture.neighbour.set_script(|_| hang());
        // On a busy machine, some calls may time out before they are sent.
        assert!(requests_until_open(&fixture).await <= 10);
    }
}

#[tokio::test]
async fn the_response_that_opens_the_circuit_is_returned() {
    let fixture = Fixture::with_neighbour(|_| respond(503, ""));
    for _ in 0..9 {
        assert_eq!(fixture.post().await.unwrap().status(), 503);
    }
    // A GET would be retried, but the circuit is open now.
    assert_eq!(fixture.get().await.unwrap().status(), 503);
    assert_eq!(fixture.neighbour.count(), 10);
    assert_open(&fixture).await;
}

#[tokio::test]
async fn an_open_circuit_fails_a_call_that_has_no_token_yet() {
    let fixture = Fixture::new(
        FakeServer::start(|_| hang()),
        FakeServer::start(|_| respond(500, "")),
    );
    for _ in 0..10 {
        fixture
            .client
            .post("/things")
            .without_token()
            .send()
            .await
            .unwrap();
    }
    assert_open(&fixture).await;
    assert_eq!(fixture.tokens.count(), 0);
}

#[tokio::test]
async fn an_unstable_neighbour_does_not_open_the_circuit() {
    let fixture = Fixture::with_neighbour(|request| {
        if request.number.is_multiple_of(10) {
            respond(404, "")
        } else {
            respond(500, "")
        }
    });
    for _ in 0..100 {
        assert!(fixture.get().await.is_ok());
    }
}

#[tokio::test]
async fn client_errors_and_redirects_do_not_open_the_circuit() {
    for status in [302, 400, 404, 409, 429] {
        let fixture = Fixture::with_neighbour(script([respond(status, "")]));
        for _ in 0..20 {
            assert_eq!(fixture.status().await, status);
        }
    }
}

#[tokio::test]
async fn oversized_responses_do_not_open_the_circuit() {
    let fixture = Fixture::with_neighbour(|_| {
        send_bytes("HTTP/1.1 200 X\r\n\r\n").then_repeat("a".repeat(0x10000), Duration::ZERO)
    });
    for _ in 0..20 {
        assert!(matches!(fixture.get().await, Err(CallError::TooLong)));
    }
}

#[tokio::test]
async fn a_failing_token_endpoint_does_not_open_the_circuit() {
    let fixture = Fixture::new(FakeServer::start(|_| respond(500, "")), FakeServer::start(ok));
    for _ in 0..20 {
        assert!(matches!(fixture.get().await, Err(CallError::NoToken(_))));
    }
    fixture.tokens.set_script(issue_tokens(900));
    fixture.until_successful().await;
}

#[tokio::test]
async fn a_successful_probe_after_five_seconds_closes_the_circuit() {
    let fixture = Fixture::with_neighbour(|_| respond(500, ""));
    requests_until_open(&fixture).await;
    advance(4.0).await;
    assert_open(&fixture).await;

    fixture.neighbour.set_script(ok);
    advance(1.0).await;
    assert_eq!(fixture.client.circuit_open_for(), None, "a probe is allowed");
    assert_eq!(fixture.status().await, 200);
    let responses = join_all((0..100).map(|_| fixture.get())).await;
    assert!(responses.iter().all(Result::is_ok));
    fixture.neighbour.set_script(|_| respond(500, ""));
    assert_eq!(requests_until_open(&fixture).await, 10, "counting starts anew");
}

#[tokio::test]
async fn only_one_probe_is_sent_at_a_time() {
    let fixture = Fixture::with_neighbour(|_| respond(500, ""));
    requests_until_open(&fixture).await;
    fixture.neighbour.set_script(|_| hang());
    advance(5.0).await;
    let client = fixture.client.clone();
    let probe = tokio::spawn(async move { client.post("/").send().await });
    fixture.neighbour.until_received(11).await;
    assert_open(&fixture).await;

    advance(3.0).await;
    assert!(matches!(at_once(probe).await.unwrap(), Err(CallError::Timeout)));
    // The circuit stays open for five seconds after the end of the failed probe.
    advance(4.0).await;
    assert_open(&fixture).await;
    fixture.neighbour.set_script(ok);
    advance(1.0).await;
    assert_eq!(fixture.status().await, 200);
}

#[tokio::test]
async fn a_cancelled_probe_allows_another() {
    let fixture = Fixture::with_neighbour(|_| respond(500, ""));
    requests_until_open(&fixture).await;
    fixture.neighbour.set_script(|_| hang());
    advance(5.0).await;
    let client = fixture.client.clone();
    let probe = tokio::spawn(async move { client.get("/").send().await });
    fixture.neighbour.until_received(11).await;
    probe.abort();
    assert!(probe.await.unwrap_err().is_cancelled());
    assert_open(&fixture).await;

    fixture.neighbour.set_script(ok);
    advance(5.0).await;
    assert_eq!(fixture.status().await, 200);
    assert_eq!(fixture.status().await, 200);
}

#[tokio::test]
async fn calls_without_a_token_share_the_circuit() {
    let fixture = Fixture::with_neighbour(|_| close());
    for _ in 0..10 {
        assert!(fixture.client.post("/").without_token().send().await.is_err());
    }
    assert_open(&fixture).await;
}
