//! The messages of the relay.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, StorageType};
use auth::nats::{STREAM, SUBJECT};
use auth::testing::NatsServer;
use serde_json::json;
use tokio::time::Instant;

use super::{Platform, eventually, eventually_revoked, is_over_nats};

#[actix_web::test]
async fn a_logout_takes_effect_in_other_services_within_100_milliseconds() {
    let platform = Platform::start().await;
    let verifier = platform.verifier().await;
    let mut times = Vec::new();
    for _ in 0..9 {
        let (token, client) = platform.user().await;
        assert!(verifier.verify(&token).await.is_ok());
        client
            .post("/auth/logout-all", json!({}))
            .await
            .assert_status(204);
        let committed = Instant::now();
        eventually_revoked(&verifier, &token).await;
        times.push(committed.elapsed());
    }
    times.sort_unstable();
    assert!(times[4] < Duration::from_millis(100), "{times:?}");
    assert!(is_over_nats(&verifier));
    assert_eq!(platform.stored().await, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[actix_web::test]
async fn each_row_is_once_in_the_stream_although_each_replica_relays_it() {
    let platform = Platform::start().await;
    let replicas = [platform.replica().await, platform.replica().await];
    // A new replica begins a generation. When all know it, they give a row the same id.
    let verifier = platform.verifier().await;
    let before = verifier.statistics().feed.unwrap().events;
    eventually("many heads", async || {
        verifier.statistics().feed.unwrap().events > before + 6
    })
    .await;
    let mut last = String::new();
    for _ in 0..5 {
        last = platform.log_out().await;
    }
    eventually_revoked(&verifier, &last).await;
    // After one more head of each replica, all of them have relayed all rows.
    let relayed = verifier.statistics().feed.unwrap().events;
    eventually("more heads", async || {
        verifier.statistics().feed.unwrap().events > relayed + 3
    })
    .await;
    assert_eq!(platform.stored().await, [1, 2, 3, 4, 5]);
    drop(replicas);
}

#[actix_web::test]
async fn the_limits_of_an_existing_stream_are_corrected_and_the_rest_stays() {
    let server = NatsServer::start();
    let jetstream = server.url_for("").connect("test").await.unwrap();
    let existing = Config {
        name: STREAM.to_owned(),
        subjects: vec!["elsewhere".to_owned()],
        description: Some("ours".to_owned()),
        storage: StorageType::Memory,
        ..Config::default()
    };
    jetstream.create_stream(existing).await.unwrap();

    let url = server.url();
    let platform = Platform::start_with(server, url, &[("ACCESS_TOKEN_TTL", "10m")]).await;
    eventually("the stream is corrected", async || {
        platform.stream().await.cached_info().config.subjects == [SUBJECT]
    })
    .await;
    let stream = platform.stream().await;
    let config = &stream.cached_info().config;
    let grace_and_margins = Duration::from_secs(10 + 60 + 60);
    assert_eq!(config.max_age, Duration::from_secs(600) + grace_and_margins);
    assert_eq!(config.duplicate_window, Duration::from_secs(120));
    assert_eq!(config.description.as_deref(), Some("ours"));
    assert_eq!(config.storage, StorageType::Memory);
}

#[actix_web::test]
async fn a_restarted_service_continues_the_stream() {
    let platform = Platform::start().await;
    let verifier = platform.verifier().await;
    // It stays, so that the verifier can read over HTTP.
    let replica = platform.replica().await;
    let ada = platform.log_out().await;
    eventually_revoked(&verifier, &ada).await;

    drop(replica.stop().await);
    let _restarted = platform.replica().await;
    let bob = platform.log_out().await;
    eventually_revoked(&verifier, &bob).await;
    eventually("NATS is followed", async || is_over_nats(&verifier)).await;
    let carol = platform.log_out().await;
    eventually_revoked(&verifier, &carol).await;
}
