//! A token is renewed before it ends, and nobody waits for that.

use auth::{CallError, TokenError};

use crate::fake::{Fake, hangs, hangs_up, says};
use crate::house::{House, at_once, fine, issue, issues, pass, until};

#[tokio::test]
async fn it_is_renewed_when_more_than_half_of_its_life_is_over() {
    let house = House::of(Fake::that(issues(1_000)), Fake::that(fine));
    house.status().await;
    for renewals in 1..4 {
        pass(590.0).await;
        // Another house's first token takes as long as a renewal would have.
        House::beside(fine).status().await;
        assert_eq!(house.tokens.count(), renewals);
        pass(115.0).await;
        house.until_token(&format!("token-{}", renewals + 1)).await;
    }
}

#[tokio::test]
async fn nobody_waits_for_a_renewal_that_takes_long() {
    for life in [1_000, 100] {
        let house = House::of(
            Fake::that(move |heard| {
                if heard.number == 2 {
                    hangs()
                } else {
                    issue(heard, life)
                }
            }),
            Fake::that(fine),
        );
        house.status().await;
        pass(f64::from(life) * 0.7).await;
        house.tokens.until_heard(2).await;
        house.status().await;
        assert_eq!(house.newest_token(), "token-1");

        // It is given up, and begun again.
        pass(3.0).await;
        house.tokens.until_heard(3).await;
        house.until_token("token-3").await;
    }
}

#[tokio::test]
async fn what_went_wrong_before_a_token_came_is_forgotten() {
    let tokens = Fake::that(|heard| match heard.number {
        1 => says(500, ""),
        2 => issue(heard, 4),
        _ => hangs(),
    });
    let house = House::of(tokens, Fake::that(fine));
    let refused = at_once(house.get()).await.unwrap_err();
    assert!(matches!(refused, CallError::NoToken(TokenError::Refused { .. })));
    house.until_token("token-2").await;

    // It ends while its renewal is under way, which calls wait for.
    pass(2.9).await;
    house.tokens.until_heard(3).await;
    pass(0.2).await;
    let client = house.client.clone();
    let call = tokio::spawn(async move { client.get("/").send().await });
    tokio::task::yield_now().await;
    pass(3.0).await;
    let outcome = at_once(call).await.unwrap();
    assert!(
        matches!(outcome, Err(CallError::NoToken(TokenError::NoResponse(_)))),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn the_old_token_serves_to_its_end_while_there_is_no_new_one() {
    let house = House::of(Fake::that(issues(1_000)), Fake::that(fine));
    house.status().await;
    house.tokens.now(|_| hangs_up());
    for seconds in [710.0, 100.0, 100.0, 80.0] {
        pass(seconds).await;
        house.status().await;
        assert_eq!(house.newest_token(), "token-1");
    }
    until("asked for", || house.tokens.count() > 3).await;

    // A token that might end on its way is not sent.
    pass(8.5).await;
    let calls = house.neighbour.count();
    for _ in 0..10 {
        assert!(matches!(at_once(house.get()).await, Err(CallError::NoToken(_))));
    }
    assert_eq!(house.neighbour.count(), calls);

    house.tokens.now(issues(1_000));
    pass(2.0).await;
    house.until_answered().await;
    assert_ne!(house.newest_token(), "token-1");
}
