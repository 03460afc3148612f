//! A neighbour that does not take a token that should be good.

use std::time::{Duration, Instant};

use auth::CallError;
use futures_util::future::join_all;

use crate::fake::{Does, Fake, hangs, hangs_up, says, sends};
use crate::heard::Heard;
use crate::house::{House, fine, issues, pass, script, soon, until};

fn refuses(_: &Heard) -> Does {
    says(401, "")
}

/// Refuses the first token.
pub(crate) fn refuses_the_first(heard: &Heard) -> Does {
    if heard.header("authorization") == Some("Bearer token-1") {
        says(401, "")
    } else {
        says(200, "{}")
    }
}

#[tokio::test]
async fn it_gets_a_fresh_one_and_the_same_call_again_whatever_the_call() {
    let house = House::beside(refuses_the_first);
    assert_eq!(soon(house.post()).await.unwrap().status(), 200);
    let heard = house.neighbour.heard();
    assert_eq!((heard.len(), house.tokens.count()), (2, 2));
    assert_eq!((&heard[0].what, &heard[0].body), (&heard[1].what, &heard[1].body));
    assert_eq!(heard[1].header("authorization"), Some("Bearer token-2"));
    assert_eq!(house.status().await, 200);
    assert_eq!((house.neighbour.count(), house.tokens.count()), (3, 2));
}

#[tokio::test]
async fn a_second_refusal_is_handed_on() {
    let house = House::beside(refuses);
    assert_eq!(soon(house.post()).await.unwrap().status(), 401);
    assert_eq!((house.neighbour.count(), house.tokens.count()), (2, 2));
}

#[tokio::test]
async fn a_call_has_its_token_replaced_once() {
    let again = [401, 503, 401, 503, 401, 503].map(|status| says(status, ""));
    let house = House::beside(script(again));
    assert_eq!(house.get().await.unwrap().status(), 401);
    assert_eq!((house.neighbour.count(), house.tokens.count()), (3, 2));

    // It is no attempt like others, whenever it comes.
    for answers in [[503, 401, 503, 200], [401, 503, 503, 200]] {
        let house = House::beside(script(answers.map(|status| says(status, ""))));
        assert_eq!(house.get().await.unwrap().status(), 200);
        assert_eq!((house.neighbour.count(), house.tokens.count()), (4, 2));
    }
}

#[tokio::test]
async fn a_thousand_at_once_cause_one_fetch_a_second() {
    let house = House::beside(refuses).hasty(15_000, 20_000);
    let begun = Instant::now();
    for _ in 0..3 {
        let calls = join_all((0..1_000).map(|_| house.get())).await;
        assert!(
            calls
                .iter()
                .all(|answer| answer.as_ref().unwrap().status() == 401)
        );
        let fetches = house.tokens.count() as u64;
        assert!(
            fetches <= 1 + begun.elapsed().as_secs(),
            "{fetches} in {:?}",
            begun.elapsed()
        );
    }
}

#[tokio::test]
async fn calls_in_a_row_cause_one_fetch_a_second_too() {
    let house = House::beside(refuses);
    let begun = Instant::now();
    for fetches in 2..4 {
        assert_eq!(soon(house.get()).await.unwrap().status(), 401);
        assert_eq!(house.tokens.count(), fetches);
    }
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn once_it_is_replaced_nothing_more_is_fetched_for_it() {
    let house = House::beside(refuses_the_first);
    let calls = join_all((0..200).map(|_| house.get())).await;
    assert!(
        calls
            .iter()
            .all(|answer| answer.as_ref().unwrap().status() == 200)
    );
    for _ in 0..3 {
        pass(10.0).await;
        // Another house's first token takes as long as a fetch would have.
        House::beside(fine).status().await;
    }
    assert_eq!(house.tokens.count(), 2);
}

#[tokio::test]
async fn who_is_refused_late_has_the_fresh_one_at_once() {
    let late = sends("HTTP/1.1 401 X\r\nconnection: close\r\ncontent-length: 3\r\n\r\n")
        .and_repeats("a", Duration::from_millis(700));
    let house = House::beside(script([late, says(401, ""), says(200, "{}")]));
    let (first, second) = tokio::join!(house.get(), house.post());
    assert_eq!((first.unwrap().status(), second.unwrap().status()), (200, 200));
    assert_eq!((house.neighbour.count(), house.tokens.count()), (4, 2));
}

#[tokio::test]
async fn that_an_earlier_renewal_failed_does_not_matter() {
    let house = House::beside(fine);
    house.status().await;
    house.tokens.now(|_| hangs_up());
    pass(650.0).await;
    house.tokens.until_heard(2).await;
    until("told", || house.tokens.count() > 2).await;

    house.tokens.now(issues(900));
    house.neighbour.now(refuses_the_first);
    assert_eq!(soon(house.get()).await.unwrap().status(), 200);
}

#[tokio::test]
async fn where_there_is_no_fresh_one_the_refusal_is_handed_on() {
    let houses = [hangs_up(), hangs(), says(401, ""), says(200, "{}")].map(|does| {
        House::of(Fake::that(script([issue_first(), does])), Fake::that(refuses)).hasty(1_000, 2_000)
    });
    join_all(houses.iter().map(async |house| {
        // The fetch begins after one second, and might take three.
        let call = tokio::time::timeout(Duration::from_millis(3_500), house.get());
        assert_eq!(call.await.unwrap().unwrap().status(), 401);
        assert_eq!((house.neighbour.count(), house.tokens.count()), (1, 2));
    }))
    .await;
}

fn issue_first() -> Does {
    says(
        200,
        r#"{"access_token": "token-1", "token_type": "Bearer", "expires_in": 900}"#,
    )
}

#[tokio::test]
async fn who_called_without_a_token_is_simply_refused() {
    let house = House::of(Fake::that(issues(900)), Fake::that(refuses));
    assert_eq!(
        house
            .client
            .get("/things")
            .without_token()
            .send()
            .await
            .unwrap()
            .status(),
        401
    );
    assert_eq!((house.neighbour.count(), house.tokens.count()), (1, 0));
}

#[tokio::test]
async fn refusals_are_no_failures() {
    let house = House::beside(refuses);
    for _ in 0..20 {
        assert!(!matches!(
            house.client.get("/things").without_token().send().await,
            Err(CallError::CircuitOpen(_))
        ));
    }
    assert_eq!(house.neighbour.count(), 20);
}
