//! A token is renewed before it expires, and calls do not wait for the renewal.

use auth::{CallError, TokenError};

use crate::fake_server::{FakeServer, close, hang, respond};
use crate::fixture::{Fixture, issue_token, issue_tokens, ok};
use crate::time::{advance, at_once, until};

#[tokio::test]
async fn a_token_is_renewed_in_the_second_half_of_its_lifetime() {
    let fixture = Fixture::new(FakeServer::start(issue_tokens(1_000)), FakeServer::start(ok));
    fixture.status().await;
    for renewals in 1..4 {
        advance(590.0).await;
        // Give a renewal the time that another client needs for its first token.
        Fixture::with_neighbour(ok).status().await;
        assert_eq!(fixture.tokens.count(), renewals);
        advance(115.0).await;
        fixture.until_token(&format!("token-{}", renewals + 1)).await;
    }
}

#[tokio::test]
async fn calls_do_not_wait_for_a_slow_renewal() {
    for life in [1_000, 100] {
        let fixture = Fixture::new(
            FakeServer::start(move |request| {
                if request.number == 2 {
                    hang()
                } else {
                    issue_token(request, life)
                }
            }),
            FakeServer::start(ok),
        );
        fixture.status().await;
        advance(f64::from(life) * 0.7).await;
        fixture.tokens.until_received(2).await;
        fixture.status().await;
        assert_eq!(fixture.newest_token(), "token-1");

        // The renewal times out and is repeated.
        advance(3.0).await;
        fixture.tokens.until_received(3).await;
        fixture.until_token("token-3").await;
    }
}

#[tokio::test]
async fn a_new_token_clears_an_earlier_error() {
    let tokens = FakeServer::start(|request| match request.number {
        1 => respond(500, ""),
        2 => issue_token(request, 4),
        _ => hang(),
    });
    let fixture = Fixture::new(tokens, FakeServer::start(ok));
    let refused = at_once(fixture.get()).await.unwrap_err();
    assert!(matches!(refused, CallError::NoToken(TokenError::Refused { .. })));
    fixture.until_token("token-2").await;

    // The token expires during its renewal, so calls wait for the renewal.
    advance(2.9).await;
    fixture.tokens.until_received(3).await;
    advance(0.2).await;
    let client = fixture.client.clone();
    let call = tokio::spawn(async move { client.get("/").send().await });
    tokio::task::yield_now().await;
    advance(3.0).await;
    let outcome = at_once(call).await.unwrap();
    assert!(
        matches!(outcome, Err(CallError::NoToken(TokenError::NoResponse(_)))),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn the_old_token_is_used_until_it_expires_if_renewals_fail() {
    let fixture = Fixture::new(FakeServer::start(issue_tokens(1_000)), FakeServer::start(ok));
    fixture.status().await;
    fixture.tokens.set_script(|_| close());
    for seconds in [710.0, 100.0, 100.0, 80.0] {
        advance(seconds).await;
        fixture.status().await;
        assert_eq!(fixture.newest_token(), "token-1");
    }
    until("renewals are repeated", || fixture.tokens.count() > 3).await;

    // A token that might expire on its way is not sent.
    advance(8.5).await;
    let calls = fixture.neighbour.count();
    for _ in 0..10 {
        assert!(matches!(at_once(fixture.get()).await, Err(CallError::NoToken(_))));
    }
    assert_eq!(fixture.neighbour.count(), calls);

    fixture.tokens.set_script(issue_tokens(1_000));
    advance(2.0).await;
    fixture.until_successful().await;
    assert_ne!(fixture.newest_token(), "token-1");
}
