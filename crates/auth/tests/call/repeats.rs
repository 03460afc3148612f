//! What is tried again, how often, and what is not.

use std::time::{Duration, Instant};

use auth::{CallError, ServiceClient, ServiceRequest};
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;

use crate::fake::{Does, Fake, hangs, hangs_up, says, sends};
use crate::house::{House, fine, issues, script};

type Makes = fn(&ServiceClient) -> ServiceRequest;

const IDEMPOTENT: [Makes; 4] = [
    |client| client.get("/"),
    |client| client.put("/").json(&1),
    |client| client.delete("/"),
    |client| client.post("/").json(&1).idempotent(),
];
const POSTS: [Makes; 2] = [|client| client.post("/"), |client| client.post("/").json(&1)];

/// What may have been done or not.
fn broken() -> [Does; 5] {
    let half = sends("HTTP/1.1 200 X\r\ncontent-length: 99\r\n\r\n{");
    [
        hangs_up(),
        half.clone().and_hangs_up(),
        half.and_hangs(),
        hangs(),
        sends("garbage\n\n\n\n").and_hangs_up(),
    ]
}

/// How often the neighbour hears of each of these calls if it does any of these things twice, and then answers.
async fn times<const N: usize>(calls: impl IntoIterator<Item = Makes>, first: [Does; N]) -> Vec<usize> {
    let beside = |does: &Does| House::beside(script([does.clone(), does.clone(), says(200, "{}")]));
    let calls = calls
        .into_iter()
        .flat_map(|makes| first.iter().map(move |does| (makes, beside(does))));
    let calls: Vec<_> = calls
        .map(|(makes, house)| (makes, house.hasty(1_000, 20_000)))
        .collect();
    join_all(calls.iter().map(async |(makes, house)| {
        let outcome = makes(&house.client).send().await;
        let is_answered = outcome.is_ok_and(|answer| answer.status() == 200);
        assert_eq!(house.neighbour.count() == 3, is_answered);
        house.neighbour.count()
    }))
    .await
}

#[tokio::test]
async fn what_is_idempotent_is_tried_again_after_a_broken_answer() {
    assert_eq!(times(IDEMPOTENT, broken()).await, [3; 20]);
}

#[tokio::test]
async fn what_is_not_may_have_been_done() {
    assert_eq!(times(POSTS, broken()).await, [1; 10]);
}

#[tokio::test]
async fn a_neighbour_that_says_later_is_asked_later() {
    let later = [502, 503, 504].map(|status| says(status, ""));
    assert_eq!(times(IDEMPOTENT, later.clone()).await, [3; 12]);
    assert_eq!(times(POSTS, later).await, [1; 6]);
}

#[tokio::test]
async fn any_other_answer_is_one() {
    for status in [400, 403, 404, 408, 409, 425, 429, 500, 501, 505] {
        let house = House::beside(script([says(status, "")]));
        for makes in IDEMPOTENT {
            assert_eq!(makes(&house.client).send().await.unwrap().status(), status);
        }
        assert_eq!(house.neighbour.count(), IDEMPOTENT.len(), "{status}");
    }
}

#[tokio::test]
async fn the_third_answer_is_the_last() {
    let house = House::beside(|heard| says(503, &heard.number.to_string()));
    let answer = house.get().await.unwrap();
    assert_eq!((answer.status(), answer.json::<u32>().unwrap()), (503, 3));

    house.neighbour.now(|_| hangs_up());
    assert!(matches!(house.get().await, Err(CallError::NoResponse(_))));
    assert_eq!(house.neighbour.count(), 6);
}

#[tokio::test]
async fn what_was_never_sent_is_tried_again_whatever_it_is() {
    let house = House::of(Fake::that(issues(900)), Fake::asleep(fine));
    let begun = Instant::now();
    for _ in 0..3 {
        assert!(matches!(house.post().await, Err(CallError::NoResponse(_))));
    }
    // 25 and 50 ms at the least.
    assert!(begun.elapsed() >= Duration::from_millis(3 * 75));
    // The tenth attempt opens the circuit, which shows how many there were.
    assert!(matches!(house.post().await, Err(CallError::CircuitOpen(_))));
}

#[tokio::test]
async fn a_neighbour_that_comes_up_in_between_gets_the_call() {
    let mut house = House::of(Fake::that(issues(900)), Fake::asleep(fine));
    assert!(house.post().await.is_err());
    house.neighbour.wake();
    assert_eq!(house.post().await.unwrap().status(), 200);
    assert_eq!(house.neighbour.count(), 1);
}

/// So many calls, fifty at a time, and how many of them ended well.
async fn calls(house: &House, count: usize) -> usize {
    let calls = stream::iter(0..count).map(|_| house.get()).buffer_unordered(50);
    calls
        .filter(|outcome| std::future::ready(matches!(outcome, Ok(answer) if answer.status() == 200)))
        .count()
        .await
}

#[tokio::test]
async fn a_neighbour_in_trouble_gets_little_more_than_its_load() {
    let every_fifth = |number: usize| {
        if number.is_multiple_of(5) {
            says(200, "{}")
        } else {
            says(503, "")
        }
    };
    let house = House::beside(move |heard| every_fifth(heard.number));
    calls(&house, 1_000).await;
    let arrived = house.neighbour.count();
    // Ten that may be repeated to begin with, and then one for ten that go well.
    assert!((1_011..=1_010 + arrived / 50).contains(&arrived), "{arrived}");
}

#[tokio::test]
async fn repeating_is_earned_back() {
    let house = House::beside(|heard| says(if heard.number.is_multiple_of(5) { 200 } else { 503 }, ""));
    calls(&house, 200).await;
    let spent = house.neighbour.count();
    house.neighbour.now(fine);
    assert_eq!(calls(&house, 100).await, 100);
    house
        .neighbour
        .now(script([503, 503, 200].map(|status| says(status, ""))));
    assert_eq!(house.get().await.unwrap().status(), 200);
    assert_eq!(house.neighbour.count(), spent + 103);
}
