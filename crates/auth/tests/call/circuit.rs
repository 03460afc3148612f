//! A neighbour that keeps failing is left alone for a while, and so are its callers' nerves.

use std::time::Duration;

use auth::CallError;
use futures_util::future::join_all;

use crate::fake::{Fake, hangs, hangs_up, says, sends};
use crate::house::{House, at_once, fine, issues, pass, script};

async fn assert_open(house: &House) {
    let arrived = house.neighbour.count();
    assert!(house.client.circuit_open_for().is_some());
    for _ in 0..20 {
        match at_once(house.get()).await {
            Err(CallError::CircuitOpen(left)) => assert!(left <= Duration::from_secs(5)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(house.neighbour.count(), arrived, "nothing is sent");
}

/// Calls until the circuit opens, and says after how many requests that was.
async fn opens(house: &House) -> usize {
    let arrived = house.neighbour.count();
    for _ in 0..100 {
        if matches!(house.post().await, Err(CallError::CircuitOpen(_))) {
            assert_open(house).await;
            return house.neighbour.count() - arrived;
        }
    }
    panic!("it stays closed");
}

#[tokio::test]
async fn ten_failures_in_a_row_open_it_whatever_they_are() {
    for does in [
        hangs_up(),
        says(500, ""),
        says(503, ""),
        sends("garbage\n\n\n\n").and_hangs_up(),
    ] {
        assert_eq!(opens(&House::beside(script([does]))).await, 10);
    }
}

#[tokio::test]
async fn a_neighbour_that_hangs_opens_it_also_where_the_call_ends_before_the_attempt() {
    for (attempt, in_all) in [(100, 60_000), (60_000, 100)] {
        let house = House::beside(fine).hasty(attempt, in_all);
        house.until_answered().await;
        house.neighbour.now(|_| hangs());
        // A machine that is busy may not get each of them there in time.
        assert!(opens(&house).await <= 10);
    }
}

#[tokio::test]
async fn a_neighbour_that_flaps_does_not_open_it() {
    let house = House::beside(|heard| {
        if heard.number.is_multiple_of(10) {
            says(404, "")
        } else {
            says(500, "")
        }
    });
    for _ in 0..100 {
        assert!(house.get().await.is_ok());
    }
}

#[tokio::test]
async fn answers_that_are_refusals_do_not_open_it() {
    for status in [302, 400, 404, 409, 429] {
        let house = House::beside(script([says(status, "")]));
        for _ in 0..20 {
            assert_eq!(house.status().await, status);
        }
    }
}

#[tokio::test]
async fn answers_that_are_too_long_do_not_open_it() {
    let house =
        House::beside(|_| sends("HTTP/1.1 200 X\r\n\r\n").and_repeats("a".repeat(0x10000), Duration::ZERO));
    for _ in 0..20 {
        assert!(matches!(house.get().await, Err(CallError::TooLong)));
    }
}

#[tokio::test]
async fn a_token_endpoint_that_fails_does_not_open_it() {
    let house = House::of(Fake::that(|_| says(500, "")), Fake::that(fine));
    for _ in 0..20 {
        assert!(matches!(house.get().await, Err(CallError::NoToken(_))));
    }
    house.tokens.now(issues(900));
    house.until_answered().await;
}

#[tokio::test]
async fn after_five_seconds_one_call_tries_and_closes_it() {
    let house = House::beside(|_| says(500, ""));
    opens(&house).await;
    pass(4.0).await;
    assert_open(&house).await;

    house.neighbour.now(fine);
    pass(1.0).await;
    assert_eq!(house.client.circuit_open_for(), None, "one may try");
    assert_eq!(house.status().await, 200);
    let answers = join_all((0..100).map(|_| house.get())).await;
    assert!(answers.iter().all(Result::is_ok));
    house.neighbour.now(|_| says(500, ""));
    assert_eq!(opens(&house).await, 10, "it begins from the beginning");
}

#[tokio::test]
async fn while_one_tries_nobody_else_does() {
    let house = House::beside(|_| says(500, ""));
    opens(&house).await;
    house.neighbour.now(|_| hangs());
    pass(5.0).await;
    let client = house.client.clone();
    let one = tokio::spawn(async move { client.post("/").send().await });
    house.neighbour.until_heard(11).await;
    assert_open(&house).await;

    pass(3.0).await;
    assert!(matches!(at_once(one).await.unwrap(), Err(CallError::Timeout)));
    // The try that failed counts from its end.
    pass(4.0).await;
    assert_open(&house).await;
    house.neighbour.now(fine);
    pass(1.0).await;
    assert_eq!(house.status().await, 200);
}

#[tokio::test]
async fn a_try_that_is_given_up_midway_leaves_room_for_the_next() {
    let house = House::beside(|_| says(500, ""));
    opens(&house).await;
    house.neighbour.now(|_| hangs());
    pass(5.0).await;
    let client = house.client.clone();
    let one = tokio::spawn(async move { client.get("/").send().await });
    house.neighbour.until_heard(11).await;
    one.abort();
    assert!(one.await.unwrap_err().is_cancelled());
    assert_open(&house).await;

    house.neighbour.now(fine);
    pass(5.0).await;
    assert_eq!(house.status().await, 200);
    assert_eq!(house.status().await, 200);
}

#[tokio::test]
async fn who_needs_no_token_shares_it() {
    let house = House::beside(|_| hangs_up());
    for _ in 0..10 {
        assert!(house.client.post("/").without_token().send().await.is_err());
    }
    assert_open(&house).await;
}
