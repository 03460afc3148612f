//! Verifiers with other clocks, which take a snapshot long after a revocation.

use auth::{Clock, Keys, Revocation, Revocations, SharedSecret, Verifier};
use chrono::TimeDelta;

use super::{Publisher, data_of};
use crate::{logged_in, register, with_token};

/// How many seconds a verifier's clock is ahead of user-service's.
const DIFFERENCES: [i64; 7] = [-299, -65, -29, -5, 5, 29, 65];
const STEP: i64 = 8;

/// All revocations that a verifier gets that connects now.
async fn snapshot(publisher: &Publisher) -> Vec<Revocation> {
    let mut reader = publisher.connect().await;
    let mut revocations = Vec::new();
    loop {
        let event = reader.next().await.unwrap();
        if event.name == "ready" {
            return revocations;
        }
        revocations.push(serde_json::from_value(data_of(&event)).unwrap());
    }
}

/// A verifier that has just started, and has these revocations.
fn verifier(publisher: &Publisher, clock: &Clock, revocations: Vec<Revocation>) -> Verifier {
    let keys = Keys::new(SharedSecret::new(publisher.secret.clone().into()).unwrap().into());
    let set = Revocations::new(clock.clone(), 10);
    set.replace_all(revocations);
    Verifier::builder("order-service", publisher.users.issuer().issuer(), keys)
        .clock(clock.clone())
        .revocations(set)
        .build()
}

#[actix_web::test]
async fn a_verifier_that_starts_late_refuses_a_revoked_token_also_if_clocks_differ() {
    let publisher = Publisher::new().await;
    let clock = publisher.users.issuer().clock().clone();
    register(&publisher.users, "ada@example.com").await;
    let pair = logged_in(&publisher.users, "ada@example.com").await;
    let token = pair["access_token"].as_str().unwrap().to_owned();
    let user = with_token(&publisher.users, &pair);
    user.post("/auth/logout", serde_json::json!({"refresh_token": ""}))
        .await
        .assert_status(204);

    let mut accepted_without = [0; DIFFERENCES.len()];
    for seconds in (0..1_300).step_by(STEP.try_into().unwrap()) {
        let revocations = snapshot(&publisher).await;
        for (difference, accepted) in DIFFERENCES.iter().zip(&mut accepted_without) {
            let theirs = Clock::fixed();
            theirs.advance(clock.now() - theirs.now() + TimeDelta::seconds(*difference));
            let informed = verifier(&publisher, &theirs, revocations.clone());
            assert!(
                informed.verify(&token).await.is_err(),
                "{difference} at {seconds}"
            );
            if verifier(&publisher, &theirs, Vec::new())
                .verify(&token)
                .await
                .is_ok()
            {
                *accepted = seconds;
            }
        }
        clock.advance(TimeDelta::seconds(STEP));
    }
    // Without the snapshot they would accept it for the lifetime of a token, a leeway of 30 seconds, and the difference.
    for (difference, accepted) in DIFFERENCES.iter().zip(accepted_without) {
        let last = 900 + 30 - difference;
        assert!(
            (last - STEP..last).contains(&accepted),
            "{difference}: {accepted}"
        );
    }
}
