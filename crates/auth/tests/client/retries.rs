//! Which calls are retried, and how often.

use std::time::{Duration, Instant};

use auth::{CallError, ServiceClient, ServiceRequest};
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;

use crate::fake_server::{Action, FakeServer, close, hang, respond, send_bytes};
use crate::fixture::{Fixture, issue_tokens, ok, script};

type MakeRequest = fn(&ServiceClient) -> ServiceRequest;

const IDEMPOTENT: [MakeRequest; 4] = [
    |client| client.get("/"),
    |client| client.put("/").json(&1),
    |client| client.delete("/"),
    |client| client.post("/").json(&1).idempotent(),
];
const POSTS: [MakeRequest; 2] = [|client| client.post("/"), |client| client.post("/").json(&1)];

/// Broken responses. The neighbour may or may not have executed the call.
fn broken_responses() -> [Action; 5] {
    let half = send_bytes("HTTP/1.1 200 X\r\ncontent-length: 99\r\n\r\n{");
    [
        close(),
        half.clone().then_close(),
        half.then_hang(),
        hang(),
        send_bytes("garbage\n\n\n\n").then_close(),
    ]
}

/// The number of requests of each call if the neighbour takes each of these actions twice and then succeeds.
async fn attempts<const N: usize>(
    calls: impl IntoIterator<Item = MakeRequest>,
    first: [Action; N],
) -> Vec<usize> {
    let failing_twice = |action: &Action| {
        Fixture::with_neighbour(script([action.clone(), action.clone(), respond(200, "{}")]))
    };
    let calls = calls
        .into_iter()
        .flat_map(|make| first.iter().map(move |action| (make, failing_twice(action))));
    let calls: Vec<_> = calls
        .map(|(make, fixture)| (make, fixture.timeouts(1_000, 20_000)))
        .collect();
    join_all(calls.iter().map(async |(make, fixture)| {
        let outcome = make(&fixture.client).send().await;
        let is_ok = outcome.is_ok_and(|response| response.status() == 200);
        assert_eq!(fixture.neighbour.count() == 3, is_ok);
        fixture.neighbour.count()
    }))
    .await
}

#[tokio::test]
async fn an_idempotent_call_is_retried_after_a_broken_response() {
    assert_eq!(attempts(IDEMPOTENT, broken_responses()).await, [3; 20]);
}

#[tokio::test]
async fn a_post_is_not_retried_after_a_broken_response() {
    assert_eq!(attempts(POSTS, broken_responses()).await, [1; 10]);
}

#[tokio::test]
async fn an_idempotent_call_is_retried_while_the_neighbour_is_unavailable() {
    let unavailable = [502, 503, 504].map(|status| respond(status, ""));
    assert_eq!(attempts(IDEMPOTENT, unavailable.clone()).await, [3; 12]);
    assert_eq!(attempts(POSTS, unavailable).await, [1; 6]);
}

#[tokio::test]
async fn other_responses_are_returned_without_retry() {
    for status in [400, 403, 404, 408, 409, 425, 429, 500, 501, 505] {
        let fixture = Fixture::with_neighbour(script([respond(status, "")]));
        for make in IDEMPOTENT {
            assert_eq!(make(&fixture.client).send().await.unwrap().status(), status);
        }
        assert_eq!(fixture.neighbour.count(), IDEMPOTENT.len(), "{status}");
    }
}

#[tokio::test]
async fn a_call_is_attempted_three_times_at_most() {
    let fixture = Fixture::with_neighbour(|request| respond(503, &request.number.to_string()));
    let response = fixture.get().await.unwrap();
    assert_eq!((response.status(), response.json::<u32>().unwrap()), (503, 3));

    fixture.neighbour.set_script(|_| close());
    assert!(matches!(fixture.get().await, Err(CallError::NoResponse(_))));
    assert_eq!(fixture.neighbour.count(), 6);
}

#[tokio::test]
async fn a_call_that_was_never_sent_is_retried_even_if_it_is_a_post() {
    let fixture = Fixture::new(FakeServer::start(issue_tokens(900)), FakeServer::stopped(ok));
    let started = Instant::now();
    for _ in 0..3 {
        assert!(matches!(fixture.post().await, Err(CallError::NoResponse(_))));
    }
    // The two backoffs are at least 25 and 50 ms.
    assert!(started.elapsed() >= Duration::from_millis(3 * 75));
    // The tenth attempt opens the circuit, which shows that there were nine before.
    assert_eq!(fixture.client.circuit_open_for(), None);
    assert!(matches!(fixture.post().await, Err(CallError::NoResponse(_))));
    assert!(fixture.client.circuit_open_for().is_some());
}

#[tokio::test]
async fn a_call_reaches_a_neighbour_that_starts_later() {
    let mut fixture = Fixture::new(FakeServer::start(issue_tokens(900)), FakeServer::stopped(ok));
    assert!(fixture.post().await.is_err());
    fixture.neighbour.listen();
    assert_eq!(fixture.post().await.unwrap().status(), 200);
    assert_eq!(fixture.neighbour.count(), 1);
}

/// Makes `count` calls, fifty at a time, and returns the number of successes.
async fn successful_calls(fixture: &Fixture, count: usize) -> usize {
    let calls = stream::iter(0..count).map(|_| fixture.get()).buffer_unordered(50);
    calls
        .filter(|outcome| std::future::ready(matches!(outcome, Ok(response) if response.status() == 200)))
        .count()
        .await
}

#[tokio::test]
async fn the_retry_budget_limits_the_additional_load() {
    let every_fifth = |number: usize| {
        if number.is_multiple_of(5) {
            respond(200, "{}")
        } else {
            respond(503, "")
        }
    };
    let fixture = Fixture::with_neighbour(move |request| every_fifth(request.number));
    successful_calls(&fixture, 1_000).await;
    let arrived = fixture.neighbour.count();
    // The budget starts with ten retries and gains one per ten successes.
    assert!((1_011..=1_010 + arrived / 50).contains(&arrived), "{arrived}");
}

#[tokio::test]
async fn successes_refill_the_retry_budget() {
    let fixture = Fixture::with_neighbour(|request| {
        respond(
            if request.number.is_multiple_of(5) {
                200
            } else {
                503
            },
            "",
        )
    });
    successful_calls(&fixture, 200).await;
    let spent = fixture.neighbour.count();
    fixture.neighbour.set_script(ok);
    assert_eq!(successful_calls(&fixture, 100).await, 100);
    fixture
        .neighbour
        .set_script(script([503, 503, 200].map(|status| respond(status, ""))));
    assert_eq!(fixture.get().await.unwrap().status(), 200);
    assert_eq!(fixture.neighbour.count(), spent + 103);
}
