//! Verifiers whose clocks differ from the publisher's, and which connect late.

use auth::{AuthError, Clock};
use serde_json::{Value, json};

use crate::verifiers::{ORDERS, VerifiersFixture};
use crate::{logged_in, register, seconds, with_token};

/// The lifetime of a token.
const LIFETIME: i64 = 900;
/// The leeway of a verifier.
const LEEWAY: i64 = 30;

#[actix_web::test]
async fn a_snapshot_lists_each_revoked_token_that_the_verifiers_clock_still_accepts() {
    let fixture = VerifiersFixture::new().await;
    let users = &fixture.users;
    let now = users.issuer().clock();
    let issued = now.unix();
    let [kept, ended, logged_out] = new_sessions(&fixture).await;
    let [ending, logging_out] = [&ended, &logged_out].map(|pair| with_token(users, pair));
    ending
        .post("/auth/logout", json!({"refresh_token": ""}))
        .await
        .assert_status(204);
    logging_out
        .post("/auth/logout-all", json!({}))
        .await
        .assert_status(204);

    // The first one is ahead. The last one is as far behind as a clock may be.
    for difference in [65, 29, 5, 0, -5, -29, -65, -300] {
        let last_accepted = issued + LIFETIME + LEEWAY - 1 - difference;
        now.advance(seconds(last_accepted - now.unix()));
        let clock = Clock::fixed();
        clock.advance(seconds(now.unix() + difference - clock.unix()));
        let verifier = fixture.verifier_with_clock(ORDERS, users, clock.clone()).await;
        let verify = |pair: &Value| verifier.verify_with_current_keys(text_of(pair)).map(drop);
        assert_eq!(verify(&kept), Ok(()), "{difference}");
        for revoked in [&ended, &logged_out] {
            assert_eq!(verify(revoked), Err(AuthError::Revoked), "{difference}");
        }
        clock.advance(seconds(1));
        assert_eq!(verify(&kept), Err(AuthError::Expired), "{difference}");
    }
}

/// Sessions of three users.
async fn new_sessions(fixture: &VerifiersFixture) -> [Value; 3] {
    let mut sessions = [const { Value::Null }; 3];
    for (session, name) in sessions.iter_mut().zip(["ada", "bob", "carol"]) {
        let email = format!("{name}@example.com");
        register(&fixture.users, &email).await;
        *session = logged_in(&fixture.users, &email).await;
    }
    sessions
}

fn text_of(pair: &Value) -> &str {
    pair["access_token"].as_str().unwrap()
}
