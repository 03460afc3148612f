//! Messages that are lost, doubled, reordered or malformed, and what a reader learns without a fault.

use std::time::Duration;

use async_nats::jetstream::consumer::AckPolicy;
use async_nats::jetstream::message::PublishMessage;
use auth::FeedEvent;
use auth::nats::{STREAM, SUBJECT};
use futures_util::TryStreamExt as _;
use tokio::time::Instant;

use super::NatsFixture;
use crate::{FETCHED, SERVICE, eventually};

#[actix_web::test]
async fn a_revocation_takes_effect_within_100_milliseconds() {
    let fixture = NatsFixture::start().await;
    let mut times = Vec::new();
    for _ in 0..9 {
        let ada = fixture.issuer.as_user();
        assert!(fixture.verify(&ada).await.is_ok());
        let published = Instant::now();
        fixture.revoke_over_nats(&ada).await;
        fixture.eventually_revoked(&ada).await;
        times.push(published.elapsed());
    }
    times.sort_unstable();
    assert!(times[4] < Duration::from_millis(100), "{times:?}");
    assert!(fixture.is_over_nats());
    assert_eq!(
        fixture.publisher.connections(),
        [None],
        "only the first snapshot came over HTTP"
    );
}

#[actix_web::test]
async fn a_reader_costs_the_broker_little_and_leaves_nothing_behind() {
    let fixture = NatsFixture::start().await;
    let jetstream = fixture.server.url_for("").connect("test").await.unwrap();
    let stream = jetstream.get_stream(STREAM).await.unwrap();
    let consumers: Vec<_> = stream.consumers().try_collect().await.unwrap();
    assert_eq!(consumers.len(), 1);
    let config = &consumers[0].config;
    assert_eq!(config.description.as_deref(), Some(SERVICE));
    assert_eq!(config.ack_policy, AckPolicy::None);
    assert_eq!(config.inactive_threshold, Duration::from_secs(30));
    assert!(config.memory_storage);
    assert_eq!((config.durable_name.as_deref(), config.num_replicas), (None, 1));
}

#[actix_web::test]
async fn a_lost_message_is_noticed_and_fetched_over_http() {
    let fixture = NatsFixture::start().await;
    let before = fixture.publisher.position().to_string();
    let (ada, bob) = (fixture.issuer.as_user(), fixture.issuer.as_user());
    fixture.lose_revocation_of(&ada);
    fixture.revoke_over_nats(&bob).await;

    fixture.revoked_within(FETCHED, &ada).await;
    fixture.eventually_revoked(&bob).await;
    assert_eq!(fixture.publisher.connections(), [None, Some(before)]);
    fixture.eventually_over_nats().await;
}

#[actix_web::test]
async fn a_lost_message_is_noticed_also_if_none_follows() {
    let fixture = NatsFixture::start().await;
    let ada = fixture.issuer.as_user();
    fixture.lose_revocation_of(&ada);
    fixture.revoked_within(FETCHED, &ada).await;
    fixture.eventually_over_nats().await;
}

#[actix_web::test]
async fn doubled_messages_change_nothing() {
    let fixture = NatsFixture::start().await;
    let (ada, bob) = (fixture.issuer.as_user(), fixture.issuer.as_user());
    let of_ada = fixture.lose_revocation_of(&ada);
    fixture.relay.publish(&of_ada).await;
    fixture.relay.publish(&of_ada).await;
    let of_bob = fixture.lose_revocation_of(&bob);
    fixture.relay.publish(&of_bob).await;
    fixture.relay.publish(&of_ada).await;
    fixture.relay.publish(&of_bob).await;
    fixture.eventually_revoked(&ada).await;
    fixture.eventually_revoked(&bob).await;
    assert!(fixture.is_over_nats());
    assert_eq!(fixture.publisher.connections(), [None]);
}

#[actix_web::test]
async fn reordered_messages_take_effect_at_once() {
    let fixture = NatsFixture::start().await;
    let (ada, bob) = (fixture.issuer.as_user(), fixture.issuer.as_user());
    let of_ada = fixture.lose_revocation_of(&ada);
    let of_bob = fixture.lose_revocation_of(&bob);
    fixture.relay.publish(&of_bob).await;
    fixture.relay.publish(&of_ada).await;
    fixture.eventually_revoked(&ada).await;
    fixture.eventually_revoked(&bob).await;
    fixture.eventually_over_nats().await;
}

#[actix_web::test]
async fn after_a_restored_backup_the_reader_starts_again_with_a_snapshot() {
    let fixture = NatsFixture::start().await;
    let (ada, bob) = (fixture.issuer.as_user(), fixture.issuer.as_user());
    fixture.revoke_over_nats(&ada).await;
    fixture.eventually_revoked(&ada).await;

    fixture.publisher.restore_backup();
    fixture.revoke_over_nats(&bob).await;
    fixture.eventually_revoked(&bob).await;
    eventually("the snapshot replaces the set", || {
        fixture.verifier.revocations().len() == 1
    })
    .await;
    assert!(fixture.verify(&ada).await.is_ok());
    fixture.eventually_over_nats().await;
}

#[actix_web::test]
async fn a_change_of_keys_is_announced_over_nats() {
    let fixture = NatsFixture::start().await;
    eventually("the first report", || fixture.publisher.held_keys().len() == 1).await;
    fixture.publisher.announce_keys();
    fixture
        .relay
        .publish(&FeedEvent::Keys(fixture.publisher.position()))
        .await;
    eventually("the second report", || fixture.publisher.held_keys().len() == 2).await;
}

#[actix_web::test]
async fn a_message_that_is_no_event_interrupts_the_feed_for_a_moment() {
    let fixture = NatsFixture::start().await;
    let connections = || fixture.verifier.statistics().feed.unwrap().connections;
    let before = connections();
    let jetstream = fixture.server.url_for("").connect("test").await.unwrap();
    let message = PublishMessage::build().payload("not an event".into());
    jetstream
        .send_publish(SUBJECT, message)
        .await
        .unwrap()
        .await
        .unwrap();
    eventually("the reader has connected again", || connections() > before).await;
    fixture.eventually_over_nats().await;
    let ada = fixture.issuer.as_user();
    fixture.revoke_over_nats(&ada).await;
    fixture.eventually_revoked(&ada).await;
}
