//! Revocations that a verifier learns from the feed.

use std::time::Duration;

use auth::{AuthError, Revocation, StalePolicy};
use tokio::time::Instant;

use crate::{Fixture, eventually};

#[actix_web::test]
async fn a_revocation_takes_effect_within_100_milliseconds_also_for_a_cached_token() {
    let fixture = Fixture::start().await;
    let (ada, bob) = (fixture.issuer.as_user(), fixture.issuer.as_user());
    assert!(fixture.verify(&ada).await.is_ok());

    let published = Instant::now();
    fixture.publisher.publish(fixture.revocation_of(&ada));
    fixture.eventually_revoked(&ada).await;
    assert!(
        published.elapsed() < Duration::from_millis(100),
        "{:?}",
        published.elapsed()
    );
    assert!(fixture.verify(&bob).await.is_ok());
}

#[actix_web::test]
async fn the_first_snapshot_has_the_revocations_from_before() {
    let issuer = auth::testing::Issuer::new(crate::SERVICE);
    let ada = issuer.as_user();
    let session = ada.claims().sid.unwrap();
    let fixture = Fixture::before_the_first_snapshot(StalePolicy::default(), |publisher| {
        publisher.publish(Revocation::Session {
            id: session,
            expires_at: i64::MAX,
        });
    });
    let of_ada = |_: &mut _, claims: &mut auth::Claims| claims.sid = Some(session);
    let ada = fixture.issuer.as_user().with(of_ada);
    // The feed is read on this thread, so nothing has arrived before the first `await`.
    assert!(!fixture.verifier.has_revocations());
    let first = fixture.verifier.verify_with_current_keys(&ada.token());
    assert_eq!(first, Err(AuthError::RevocationUnknown), "no snapshot yet");

    eventually("the first snapshot", || fixture.verifier.has_revocations()).await;
    assert_eq!(fixture.verify(&ada).await, Err(AuthError::Revoked));
    assert_eq!(fixture.verifier.revocations().len(), 1);
}

#[actix_web::test]
async fn a_raised_epoch_and_a_revoked_key_arrive_too() {
    let fixture = Fixture::start().await;
    let ada = fixture.issuer.as_user();
    let expires_at = fixture.issuer.clock().unix() + 960;
    fixture.publisher.publish(Revocation::User {
        id: ada.claims().sub.parse().unwrap(),
        epoch: 1,
        expires_at,
    });
    fixture.eventually_revoked(&ada).await;

    let bob = fixture.issuer.as_user();
    let service = fixture.issuer.as_service("order-service");
    assert!(fixture.verify(&bob).await.is_ok() && fixture.verify(&service).await.is_ok());
    let kid = fixture.issuer.jwks()["keys"][0]["kid"]
        .as_str()
        .unwrap()
        .to_owned();
    fixture.publisher.publish(Revocation::Key { kid, expires_at });
    // Both tokens are cached.
    fixture.eventually_revoked(&bob).await;
    fixture.eventually_revoked(&service).await;
    let new = fixture.issuer.as_user();
    assert_eq!(fixture.verify(&new).await, Err(AuthError::Revoked));
}

#[actix_web::test]
async fn a_reader_resumes_where_it_was_and_learns_what_it_missed() {
    let fixture = Fixture::start().await;
    let (ada, bob) = (fixture.issuer.as_user(), fixture.issuer.as_user());
    fixture.publisher.publish(fixture.revocation_of(&ada));
    fixture.eventually_revoked(&ada).await;
    let position = fixture.publisher.position().to_string();

    fixture.publisher.fail();
    fixture.publisher.publish(fixture.revocation_of(&bob));
    assert!(fixture.verify(&bob).await.is_ok());
    fixture.publisher.recover();
    fixture.eventually_revoked(&bob).await;
    let connections = fixture.publisher.connections();
    assert_eq!(connections, [None, Some(position)]);
}

#[actix_web::test]
async fn after_a_restored_backup_the_reader_starts_again_with_a_snapshot() {
    let fixture = Fixture::start().await;
    let (ada, bob) = (fixture.issuer.as_user(), fixture.issuer.as_user());
    fixture.publisher.publish(fixture.revocation_of(&ada));
    fixture.eventually_revoked(&ada).await;

    fixture.publisher.restore_backup();
    fixture.publisher.publish(fixture.revocation_of(&bob));
    fixture.eventually_revoked(&bob).await;
    // The restored database does not know that Ada's session ended, so it goes on everywhere.
    eventually("the snapshot replaces the set", || {
        fixture.verifier.revocations().len() == 1
    })
    .await;
    assert!(fixture.verify(&ada).await.is_ok());
    assert_eq!(fixture.publisher.connections().last(), Some(&None));
}

#[actix_web::test]
async fn the_task_that_follows_the_feed_ends_with_its_verifier() {
    let fixture = Fixture::start().await;
    assert_eq!(fixture.publisher.readers(), 1);
    drop(fixture.verifier);
    eventually("the reader has left", || {
        // The publisher notices when it sends.
        fixture.publisher.send_head();
        fixture.publisher.readers() == 0
    })
    .await;
}
