//! A verifier that follows the feed over NATS.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::{Context, stream};
use auth::nats::{STREAM, SUBJECT, message_of};
use auth::testing::{Issuer, NatsServer, Publisher, TestToken};
use auth::{FeedEvent, FeedPosition, Keys, Revocation, StalePolicy};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::{Fixture, SERVICE, eventually};

/// A verifier, the publisher that it follows over HTTP, and a broker with a relay.
struct NatsFixture {
    fixture: Fixture,
    server: NatsServer,
    relay: Relay,
}

impl Deref for NatsFixture {
    type Target = Fixture;

    fn deref(&self) -> &Fixture {
        &self.fixture
    }
}

impl NatsFixture {
    /// A verifier that follows the feed over NATS.
    async fn start() -> Self {
        let fixture = Self::start_with("", "", "").await;
        fixture.eventually_over_nats().await;
        fixture
    }

    /// With this configuration of the server, and these credentials of the relay and of the verifier.
    async fn start_with(config: &str, relay: &str, reader: &str) -> Self {
        let server = NatsServer::start_with(config);
        let issuer = Issuer::new(SERVICE);
        let publisher = Publisher::start(&issuer);
        let relay = Relay::start(&server, relay, &publisher).await;
        let feed = publisher.feed(SERVICE).over_nats(server.url_for(reader), SERVICE);
        let verifier = issuer
            .verifier_builder(Keys::new(issuer.key_set()))
            .feed(feed)
            .when_stale(StalePolicy::default())
            .build();
        let fixture = Fixture {
            issuer,
            publisher,
            verifier,
        };
        eventually("the first snapshot", || fixture.verifier.has_revocations()).await;
        Self {
            fixture,
            server,
            relay,
        }
    }

    fn is_over_nats(&self) -> bool {
        self.verifier.statistics().feed.unwrap().is_over_nats
    }

    async fn eventually_over_nats(&self) {
        eventually("NATS is followed", || self.is_over_nats()).await;
        eventually("HTTP is not", || self.publisher.readers() == 0).await;
    }

    async fn eventually_over_http(&self) {
        eventually("HTTP is followed", || {
            !self.is_over_nats() && self.publisher.readers() == 1
        })
        .await;
    }

    /// Revokes this token, and tells the verifier over NATS only.
    async fn revoke_over_nats(&self, token: &TestToken) {
        self.publisher.lose(self.revocation_of(token));
        let event = FeedEvent::Revocation(self.publisher.position(), self.revocation_of(token));
        self.relay.publish(&event).await;
    }
}

/// Sends heads to the broker, and the events of a test.
struct Relay {
    jetstream: Arc<Mutex<Context>>,
}

impl Relay {
    async fn start(server: &NatsServer, credentials: &str, publisher: &Publisher) -> Self {
        let jetstream = connect(server, credentials).await;
        let relay = Self {
            jetstream: Arc::new(Mutex::new(jetstream)),
        };
        let (jetstream, publisher) = (Arc::clone(&relay.jetstream), publisher.clone());
        actix_web::rt::spawn(async move {
            loop {
                let jetstream = jetstream.lock().await.clone();
                // Nobody hears it while the broker does not work.
                drop(publish(&jetstream, &FeedEvent::Head(publisher.position())).await);
                sleep(Duration::from_millis(100)).await;
            }
        });
        relay
    }

    async fn publish(&self, event: &FeedEvent) {
        publish(&*self.jetstream.lock().await, event).await.unwrap();
    }
}

async fn connect(server: &NatsServer, credentials: &str) -> Context {
    let jetstream = server.url_for(credentials).connect("relay").await.unwrap();
    let config = stream::Config {
        name: STREAM.to_owned(),
        subjects: vec![SUBJECT.to_owned()],
        ..stream::Config::default()
    };
    jetstream.create_stream(config).await.unwrap();
    jetstream
}

async fn publish(jetstream: &Context, event: &FeedEvent) -> Result<(), async_nats::Error> {
    let message = message_of(event, &Uuid::new_v4().to_string());
    jetstream.send_publish(SUBJECT, message).await?.await?;
    Ok(())
}

#[actix_web::test]
async fn a_revocation_takes_effect_within_100_milliseconds_over_nats() {
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
    assert_eq!(fixture.publisher.connections(), [None]);
}
