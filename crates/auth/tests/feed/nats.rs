//! A verifier that follows the feed over NATS.

mod faults;
mod late_messages;
mod outages;
mod slow_proxy;
mod tls;

use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::jetstream::{Context, stream};
use auth::nats::{NatsUrl, STREAM, SUBJECT, message_of};
use auth::testing::{Issuer, NatsServer, Publisher, TestToken};
use auth::{FeedEvent, Keys, StalePolicy};
use tokio::time::sleep;
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
        let url = server.url_for(reader);
        Self::follow(server, relay, url).await
    }

    /// With these credentials of the relay, and a verifier that reads from this URL.
    async fn follow(server: NatsServer, relay: &str, url: NatsUrl) -> Self {
        let issuer = Issuer::new(SERVICE);
        let publisher = Publisher::start(&issuer);
        let relay = Relay::start(&server, relay, &publisher).await;
        let feed = publisher.feed(SERVICE).over_nats(url, SERVICE);
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
    }

    /// Waits until the feed is followed over HTTP.
    async fn eventually_over_http(&self) {
        eventually("HTTP is followed", || {
            !self.is_over_nats() && self.publisher.readers() == 1
        })
        .await;
    }

    /// Adds the revocation of this token to the feed, and sends it to the broker only.
    async fn revoke_over_nats(&self, token: &TestToken) {
        let event = self.lose_revocation_of(token);
        self.relay.publish(&event).await;
    }

    /// Adds the revocation of this token to the feed, and sends it nowhere.
    fn lose_revocation_of(&self, token: &TestToken) -> FeedEvent {
        self.publisher.lose(self.revocation_of(token));
        FeedEvent::Revocation(self.publisher.position(), self.revocation_of(token))
    }

    /// Starts the broker again, and the relay.
    async fn restart_broker(&mut self) {
        self.server.start_again();
        self.relay.connect(&self.server, "").await;
    }
}

/// Sends a head to the broker every 100 milliseconds, and the events of a test.
struct Relay(Arc<Mutex<Context>>);

impl Relay {
    async fn start(server: &NatsServer, credentials: &str, publisher: &Publisher) -> Self {
        let jetstream = Arc::new(Mutex::new(connect(server, credentials).await));
        let relay = Self(Arc::clone(&jetstream));
        let publisher = publisher.clone();
        actix_web::rt::spawn(async move {
            loop {
                let head = FeedEvent::Head(publisher.position());
                let jetstream = jetstream.lock().unwrap().clone();
                // Fails while the broker does not work.
                drop(publish(&jetstream, &head).await);
                sleep(Duration::from_millis(100)).await;
            }
        });
        relay
    }

    async fn connect(&self, server: &NatsServer, credentials: &str) {
        let jetstream = connect(server, credentials).await;
        *self.0.lock().unwrap() = jetstream;
    }

    async fn publish(&self, event: &FeedEvent) {
        let jetstream = self.0.lock().unwrap().clone();
        publish(&jetstream, event).await.unwrap();
    }
}

/// Connects and creates the stream.
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

/// Publishes an event, also if the broker has it already.
async fn publish(jetstream: &Context, event: &FeedEvent) -> Result<(), async_nats::Error> {
    let message = message_of(event).message_id(Uuid::new_v4().to_string());
    jetstream.send_publish(SUBJECT, message).await?.await?;
    Ok(())
}
