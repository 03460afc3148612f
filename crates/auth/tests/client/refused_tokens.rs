//! A neighbour that refuses a token that should be valid.

use std::time::{Duration, Instant};

use auth::CallError;
use futures_util::future::join_all;

use crate::fake_server::{Action, FakeServer, close, hang, respond, send_bytes};
use crate::fixture::{Fixture, issue_tokens, ok, script};
use crate::received::ReceivedRequest;
use crate::time::{advance, soon, until};

fn refuse(_: &ReceivedRequest) -> Action {
    respond(401, "")
}

/// Refuses the first token.
pub(crate) fn refuse_first_token(request: &ReceivedRequest) -> Action {
    if request.header("authorization") == Some("Bearer token-1") {
        respond(401, "")
    } else {
        respond(200, "{}")
    }
}

#[tokio::test]
async fn a_refused_call_is_repeated_with_a_new_token() {
    let fixture = Fixture::with_neighbour(refuse_first_token);
    assert_eq!(soon(fixture.post()).await.unwrap().status(), 200);
    let received = fixture.neighbour.received();
    assert_eq!((received.len(), fixture.tokens.count()), (2, 2));
    assert_eq!(
        (&received[0].line, &received[0].body),
        (&received[1].line, &received[1].body)
    );
    assert_eq!(received[1].header("authorization"), Some("Bearer token-2"));
    assert_eq!(fixture.status().await, 200);
    assert_eq!((fixture.neighbour.count(), fixture.tokens.count()), (3, 2));
}

#[tokio::test]
async fn a_second_refusal_is_returned() {
    let fixture = Fixture::with_neighbour(refuse);
    assert_eq!(soon(fixture.post()).await.unwrap().status(), 401);
    assert_eq!((fixture.neighbour.count(), fixture.tokens.count()), (2, 2));
}

#[tokio::test]
async fn a_call_replaces_its_token_once() {
    let again = [401, 503, 401, 503, 401, 503].map(|status| respond(status, ""));
    let fixture = Fixture::with_neighbour(script(again));
    assert_eq!(fixture.get().await.unwrap().status(), 401);
    assert_eq!((fixture.neighbour.count(), fixture.tokens.count()), (3, 2));

    // The repetition with a new token does not count as a retry, at any position.
    for responses in [[503, 401, 503, 200], [401, 503, 503, 200]] {
        let fixture = Fixture::with_neighbour(script(responses.map(|status| respond(status, ""))));
        assert_eq!(fixture.get().await.unwrap().status(), 200);
        assert_eq!((fixture.neighbour.count(), fixture.tokens.count()), (4, 2));
    }
}

#[tokio::test]
async fn a_thousand_concurrent_refusals_cause_one_fetch_per_second() {
    let fixture = Fixture::with_neighbour(refuse).timeouts(15_000, 20_000);
    let started = Instant::now();
    for _ in 0..3 {
        let calls = join_all((0..1_000).map(|_| fixture.get())).await;
        assert!(
            calls
                .iter()
                .all(|response| response.as_ref().unwrap().status() == 401)
        );
        let fetches = fixture.tokens.count() as u64;
        assert!(
            fetches <= 1 + started.elapsed().as_secs(),
            "{fetches} in {:?}",
            started.elapsed()
        );
    }
}

#[tokio::test]
async fn successive_refusals_cause_one_fetch_per_second() {
    let fixture = Fixture::with_neighbour(refuse);
    let started = Instant::now();
    for fetches in 2..4 {
        assert_eq!(soon(fixture.get()).await.unwrap().status(), 401);
        assert_eq!(fixture.tokens.count(), fetches);
    }
    assert!(
        started.elapsed() >= Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn one_replacement_serves_all_refused_calls() {
    let fixture = Fixture::with_neighbour(refuse_first_token);
    let calls = join_all((0..200).map(|_| fixture.get())).await;
    assert!(
        calls
            .iter()
            .all(|response| response.as_ref().unwrap().status() == 200)
    );
    for _ in 0..3 {
        advance(10.0).await;
        // Give a fetch the time that another client needs for its first token.
        Fixture::with_neighbour(ok).status().await;
    }
    assert_eq!(fixture.tokens.count(), 2);
}

#[tokio::test]
async fn a_late_refusal_uses_the_replacement_at_once() {
    let late = send_bytes("HTTP/1.1 401 X\r\nconnection: close\r\ncontent-length: 3\r\n\r\n")
        .then_repeat("a", Duration::from_millis(700));
    let fixture = Fixture::with_neighbour(script([late, respond(401, ""), respond(200, "{}")]));
    let (first, second) = tokio::join!(fixture.get(), fixture.post());
    assert_eq!((first.unwrap().status(), second.unwrap().status()), (200, 200));
    assert_eq!((fixture.neighbour.count(), fixture.tokens.count()), (4, 2));
}

#[tokio::test]
async fn a_refused_token_is_replaced_after_a_failed_renewal() {
    let fixture = Fixture::with_neighbour(ok);
    fixture.status().await;
    fixture.tokens.set_script(|_| close());
    advance(650.0).await;
    fixture.tokens.until_received(2).await;
    until("the failed fetch is repeated", || fixture.tokens.count() > 2).await;

    fixture.tokens.set_script(issue_tokens(900));
    fixture.neighbour.set_script(refuse_first_token);
    assert_eq!(soon(fixture.get()).await.unwrap().status(), 200);
}

#[tokio::test]
async fn the_refusal_is_returned_if_no_new_token_is_available() {
    let fixtures = [close(), hang(), respond(401, ""), respond(200, "{}")].map(|action| {
        Fixture::new(
            FakeServer::start(script([issue_first_token(), action])),
            FakeServer::start(refuse),
        )
        .timeouts(1_000, 2_000)
    });
    join_all(fixtures.iter().map(async |fixture| {
        // The fetch starts after one second and may take three.
        let call = tokio::time::timeout(Duration::from_millis(3_500), fixture.get());
        assert_eq!(call.await.unwrap().unwrap().status(), 401);
        assert_eq!((fixture.neighbour.count(), fixture.tokens.count()), (1, 2));
    }))
    .await;
}

fn issue_first_token() -> Action {
    respond(
        200,
        r#"{"access_token": "token-1", "token_type": "Bearer", "expires_in": 900}"#,
    )
}

#[tokio::test]
async fn a_refusal_of_a_call_without_a_token_is_returned() {
    let fixture = Fixture::new(FakeServer::start(issue_tokens(900)), FakeServer::start(refuse));
    assert_eq!(
        fixture
            .client
            .get("/things")
            .without_token()
            .send()
            .await
            .unwrap()
            .status(),
        401
    );
    assert_eq!((fixture.neighbour.count(), fixture.tokens.count()), (1, 0));
}

#[tokio::test]
async fn refusals_do_not_open_the_circuit() {
    let fixture = Fixture::with_neighbour(refuse);
    for _ in 0..20 {
        assert!(!matches!(
            fixture.client.get("/things").without_token().send().await,
            Err(CallError::CircuitOpen(_))
        ));
    }
    assert_eq!(fixture.neighbour.count(), 20);
}
