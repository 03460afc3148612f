//! The clocks of verifiers and of the publisher differ.

use auth::testing::{Issuer, Publisher};
use auth::{AuthError, Clock, Keys, Revocation, Revocations};
use chrono::TimeDelta;
use uuid::Uuid;

use crate::{FETCHED, Fixture, SERVICE, eventually};

#[actix_web::test]
async fn a_revoked_token_is_never_accepted_also_if_clocks_differ() {
    for difference in [-65, -29, -5, 5, 29, 65] {
        let issuer = Issuer::new(SERVICE);
        let publisher = Publisher::start(&issuer);
        let clock = Clock::fixed();
        clock.advance(TimeDelta::seconds(difference));
        let verifier = issuer
            .verifier_builder(Keys::new(issuer.key_set()))
            .clock(clock.clone())
            .revocations(Revocations::new(clock.clone(), 10))
            .feed(publisher.feed(SERVICE))
            .build();
        eventually("the first snapshot", || verifier.has_revocations()).await;
        let (revoked, valid) = (issuer.as_user(), issuer.as_user());
        let exp = revoked.claims().exp;
        publisher.publish(Revocation::Session {
            id: revoked.claims().sid.unwrap(),
            expires_at: exp + auth::MAX_LEEWAY.num_seconds(),
        });
        let verify = |token: &str| verifier.verify_with_current_keys(token).map(drop);
        let (revoked, valid) = (revoked.token(), valid.token());
        eventually("the token is revoked", || {
            verify(&revoked) == Err(AuthError::Revoked)
        })
        .await;

        // The verifier decides by its own clock, with a leeway of 30 seconds.
        let mut accepted_until = clock.unix();
        for _ in 0..1_200 {
            clock.advance(TimeDelta::seconds(1));
            assert!(verify(&revoked).is_err(), "{difference}");
            if verify(&valid).is_ok() {
                accepted_until = clock.unix();
            }
        }
        assert_eq!(accepted_until, exp + 29, "{difference}");
    }
}

#[actix_web::test]
async fn a_clock_that_is_set_makes_the_feed_stale_only_until_the_next_event() {
    let fixture = Fixture::start().await;
    let admin = fixture.issuer.as_admin();
    for seconds in [6, 30, -2, -30] {
        fixture.issuer.clock().advance(TimeDelta::seconds(seconds));
        let is_admin = || {
            let principal = fixture.verifier.verify_with_current_keys(&admin.token());
            principal.unwrap().user().unwrap().is_admin()
        };
        assert!(!is_admin(), "{seconds}");
        fixture.publisher.send_head();
        eventually("the feed is heard again", is_admin).await;
    }
}

#[actix_web::test]
async fn a_revocation_that_expired_by_a_clock_is_fetched_after_the_clock_was_set_back() {
    let fixture = Fixture::start().await;
    let (ada, bob) = (fixture.issuer.as_user(), fixture.issuer.as_user());
    let of_ada = fixture.revocation_of(&ada);
    fixture.issuer.clock().advance(TimeDelta::minutes(20));
    fixture.publisher.publish(of_ada);
    // The verifier has dropped Ada's when it has Bob's.
    fixture.publisher.publish(fixture.revocation_of(&bob));
    eventually("the set has an entry", || {
        fixture.verifier.revocations().len() == 1
    })
    .await;

    fixture.issuer.clock().advance(TimeDelta::minutes(-20));
    fixture.revoked_within(FETCHED, &ada).await;
}

#[actix_web::test]
async fn a_full_set_is_stale_until_it_has_room() {
    let issuer = Issuer::new(SERVICE);
    let publisher = Publisher::start(&issuer);
    let verifier = issuer
        .verifier_builder(Keys::new(issuer.key_set()))
        .revocations(Revocations::new(issuer.clock().clone(), 2))
        .feed(publisher.feed(SERVICE))
        .build();
    eventually("the first snapshot", || verifier.has_revocations()).await;
    let (revoked, admin) = (
        issuer.as_user(),
        issuer.as_admin().with(|_, claims| claims.exp += 3_600),
    );
    let is_admin = || {
        let principal = verifier.verify_with_current_keys(&admin.token());
        principal.unwrap().user().unwrap().is_admin()
    };
    let expires_at = issuer.clock().unix() + 960;
    let session = |id| Revocation::Session { id, expires_at };
    publisher.publish(session(revoked.claims().sid.unwrap()));
    publisher.publish(session(Uuid::new_v4()));
    eventually("the set has two entries", || verifier.revocations().len() == 2).await;
    assert!(is_admin());

    publisher.publish(session(Uuid::new_v4()));
    eventually("roles are withheld", || !is_admin()).await;
    assert!(!verifier.statistics().is_set_complete);
    assert_eq!(
        verifier.verify_with_current_keys(&revoked.token()).map(drop),
        Err(AuthError::Revoked),
        "no entry is dropped early"
    );

    issuer.clock().advance(TimeDelta::seconds(960));
    publisher.send_head();
    eventually("the entries have expired", is_admin).await;
}
