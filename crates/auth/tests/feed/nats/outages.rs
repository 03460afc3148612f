//! Outages of the broker, and of the publisher.

use std::time::Duration;

use tokio::time::Instant;

use super::NatsFixture;
use crate::{MARGIN, eventually};

/// Requires that this was at most three seconds ago, or a little longer on a busy machine.
#[track_caller]
fn assert_soon(since: Instant) {
    let elapsed = since.elapsed();
    assert!(elapsed < Duration::from_secs(3) + MARGIN, "{elapsed:?}");
}

#[actix_web::test]
async fn while_the_broker_is_down_the_feed_is_followed_over_http() {
    let mut fixture = NatsFixture::start().await;
    let (ada, bob) = (fixture.issuer.as_user(), fixture.issuer.as_user());
    eventually("HTTP is not followed", || fixture.publisher.readers() == 0).await;
    let position = fixture.publisher.position().to_string();
    let stopped = Instant::now();
    fixture.server.stop();
    fixture.eventually_over_http().await;
    assert_soon(stopped);
    assert_eq!(fixture.publisher.connections(), [None, Some(position)]);
    fixture.publisher.publish(fixture.revocation_of(&ada));
    fixture.eventually_revoked(&ada).await;
    assert!(!fixture.verifier.statistics().feed.unwrap().is_stale);

    fixture.restart_broker().await;
    fixture.eventually_over_nats().await;
    fixture.revoke_over_nats(&bob).await;
    fixture.eventually_revoked(&bob).await;
}

#[actix_web::test]
async fn a_broker_that_lost_its_storage_is_followed_once_there_is_a_stream() {
    let mut fixture = NatsFixture::start().await;
    let ada = fixture.issuer.as_user();
    let stopped = Instant::now();
    fixture.server.stop();
    fixture.server.delete_storage();
    fixture.server.start_again();
    fixture.eventually_over_http().await;
    assert_soon(stopped);
    fixture.relay.connect(&fixture.server, "").await;
    fixture.eventually_over_nats().await;
    fixture.revoke_over_nats(&ada).await;
    fixture.eventually_revoked(&ada).await;
}

#[actix_web::test]
async fn before_a_suspended_broker_makes_the_feed_stale_it_is_followed_over_http() {
    let fixture = NatsFixture::start().await;
    let (ada, bob) = (fixture.issuer.as_user(), fixture.issuer.as_user());
    let suspended = Instant::now();
    fixture.server.suspend();
    fixture.eventually_over_http().await;
    fixture.publisher.publish(fixture.revocation_of(&ada));
    fixture.eventually_revoked(&ada).await;
    assert_soon(suspended);

    fixture.server.resume();
    fixture.relay.connect(&fixture.server, "").await;
    fixture.eventually_over_nats().await;
    fixture.revoke_over_nats(&bob).await;
    fixture.eventually_revoked(&bob).await;
}

#[actix_web::test]
async fn while_the_publisher_does_not_answer_revocations_still_come_over_nats() {
    let fixture = NatsFixture::start().await;
    let (ada, bob) = (fixture.issuer.as_user(), fixture.issuer.as_user());
    fixture.publisher.fail();
    fixture.revoke_over_nats(&ada).await;
    fixture.eventually_revoked(&ada).await;
    assert!(fixture.is_over_nats());

    // One is lost, and can't be fetched: the feed is stale, but what comes takes effect.
    let lost = fixture.issuer.as_user();
    fixture.lose_revocation_of(&lost);
    eventually("the gap is noticed", || {
        fixture.verifier.statistics().feed.unwrap().is_stale
    })
    .await;
    let deadline = Instant::now() + Duration::from_secs(20);
    let carol = fixture.issuer.as_user();
    while fixture.verify(&carol).await.is_ok() {
        assert!(Instant::now() < deadline, "the broker is connected again");
        fixture.revoke_over_nats(&carol).await;
    }
    fixture.publisher.recover();
    fixture.eventually_revoked(&lost).await;
    fixture.eventually_over_nats().await;
    fixture.revoke_over_nats(&bob).await;
    fixture.eventually_revoked(&bob).await;
}

#[actix_web::test]
async fn after_an_outage_of_both_the_feed_continues_over_nats_if_nothing_was_missed() {
    let mut fixture = NatsFixture::start().await;
    fixture.publisher.fail();
    fixture.server.stop();
    eventually("HTTP is tried", || fixture.publisher.refused_connections() > 0).await;
    fixture.restart_broker().await;
    eventually("NATS is followed", || fixture.is_over_nats()).await;
    let ada = fixture.issuer.as_user();
    fixture.revoke_over_nats(&ada).await;
    fixture.eventually_revoked(&ada).await;
    assert_eq!(fixture.publisher.connections(), [None]);
}
