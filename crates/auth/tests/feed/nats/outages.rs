//! Outages of the broker, and of the publisher.

use std::time::Duration;

use tokio::time::Instant;

use super::NatsFixture;
use crate::eventually;

/// How soon a feed over NATS continues over HTTP when the broker is silent.
const OVER_HTTP: Duration = Duration::from_secs(3);

impl NatsFixture {
    /// Requires that the feed continues over HTTP in time, with what the broker did not deliver.
    async fn assert_continues_over_http(&self) {
        let ada = self.issuer.as_user();
        self.lose_revocation_of(&ada);
        self.revoked_within(OVER_HTTP, &ada).await;
        self.eventually_over_http().await;
        eventually("the feed is current", || {
            !self.verifier.statistics().feed.unwrap().is_stale
        })
        .await;
    }

    /// Requires that the feed continues over NATS.
    async fn assert_continues_over_nats(&self) {
        let bob = self.issuer.as_user();
        self.eventually_over_nats().await;
        self.revoke_over_nats(&bob).await;
        self.eventually_revoked(&bob).await;
    }
}

#[actix_web::test]
async fn while_the_broker_is_down_the_feed_is_followed_over_http() {
    let mut fixture = NatsFixture::start().await;
    eventually("HTTP is not followed", || fixture.publisher.readers() == 0).await;
    let position = fixture.publisher.position().to_string();
    fixture.server.stop();
    fixture.assert_continues_over_http().await;
    assert_eq!(fixture.publisher.connections(), [None, Some(position)]);
    let ada = fixture.issuer.as_user();
    fixture.publisher.publish(fixture.revocation_of(&ada));
    fixture.revoked_within(Duration::ZERO, &ada).await;

    fixture.restart_broker().await;
    fixture.assert_continues_over_nats().await;
}

#[actix_web::test]
async fn a_broker_that_lost_its_storage_is_followed_once_there_is_a_stream() {
    let mut fixture = NatsFixture::start().await;
    fixture.server.stop();
    fixture.server.delete_storage();
    fixture.server.start_again();
    fixture.assert_continues_over_http().await;
    fixture.relay.connect(&fixture.server, "").await;
    fixture.assert_continues_over_nats().await;
}

#[actix_web::test]
async fn before_a_suspended_broker_makes_the_feed_stale_it_is_followed_over_http() {
    let fixture = NatsFixture::start().await;
    fixture.server.suspend();
    fixture.assert_continues_over_http().await;

    fixture.server.resume();
    fixture.relay.connect(&fixture.server, "").await;
    fixture.assert_continues_over_nats().await;
}

#[actix_web::test]
async fn while_the_publisher_does_not_answer_revocations_still_come_over_nats() {
    let fixture = NatsFixture::start().await;
    let ada = fixture.issuer.as_user();
    fixture.publisher.fail();
    fixture.revoke_over_nats(&ada).await;
    fixture.revoked_within(Duration::ZERO, &ada).await;
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
    fixture.assert_continues_over_nats().await;
}

#[actix_web::test]
async fn after_an_outage_of_both_the_feed_continues_over_nats_if_nothing_was_missed() {
    let mut fixture = NatsFixture::start().await;
    fixture.publisher.fail();
    fixture.server.stop();
    eventually("HTTP is tried", || fixture.publisher.refused_connections() > 0).await;
    fixture.restart_broker().await;
    fixture.assert_continues_over_nats().await;
    assert_eq!(fixture.publisher.connections(), [None]);
}
