//! The relay of the revocation feed to NATS.

mod outages;
mod permissions;
mod relaying;

use std::time::Duration;

use async_nats::jetstream::stream::Stream;
use auth::nats::{STREAM, event_of};
use auth::testing::{Issuer, NatsServer};
use auth::{AuthError, FeedEvent, Keys, Profile, RevocationFeed, ServiceCredentials, Verifier};
use serde_json::json;
use test_kit::{Client, TestService};
use tokio::time::{Instant, sleep};
use user_service::NAME;
use uuid::Uuid;

use crate::{config, logged_in, random_secret, register, run, with_token};

const READER: &str = "product-service";

/// user-service with a broker.
struct Platform {
    server: NatsServer,
    users: TestService,
    vars: Vec<(&'static str, String)>,
}

impl Platform {
    async fn start() -> Self {
        let server = NatsServer::start();
        let url = server.url();
        Self::start_with(server, url, &[]).await
    }

    /// user-service with this broker at this URL, and more variables.
    async fn start_with(server: NatsServer, url: String, more: &[(&'static str, &str)]) -> Self {
        let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let vars: Vec<_> = [
            ("JWT_SECRET", random_secret()),
            ("PRODUCT_SERVICE_SECRET", random_secret()),
            ("NATS_URL", url),
        ]
        .into_iter()
        .chain(more)
        .collect();
        let issuer = Issuer::with_secret(NAME, &vars[0].1);
        let users = TestService::spawn(issuer, run(&borrowed(&vars))).await;
        users.anonymous().get("/health/ready").await.assert_status(200);
        Self { server, users, vars }
    }

    /// Another replica on the same database, with the same broker.
    async fn replica(&self) -> TestService {
        let replica = crate::replica(&self.users, &borrowed(&self.vars));
        replica.anonymous().get("/health/ready").await.assert_status(200);
        replica
    }

    /// A verifier of another service that follows the feed over NATS.
    async fn verifier(&self) -> Verifier {
        let verifier = self.verifier_with("");
        eventually("NATS is followed", async || is_over_nats(&verifier)).await;
        verifier
    }

    /// A verifier of another service with these credentials of the broker.
    fn verifier_with(&self, broker_credentials: &str) -> Verifier {
        let origin = format!("http://{}", self.users.address());
        let token_url = format!("{origin}/oauth/token");
        let credentials = ServiceCredentials::new(READER, self.vars[1].1.clone().into(), token_url);
        let feed = RevocationFeed::at(&credentials, NAME, &origin).unwrap();
        let settings = config(&borrowed(&self.vars)).auth;
        let keys = Keys::new(self.users.issuer().key_set());
        let profile = Profile::countersign(READER).audiences([&settings.audience]);
        Verifier::builder(&settings.issuer, keys, profile)
            .feed(feed.over_nats(self.server.url_for(broker_credentials), READER))
            .build()
    }

    /// A new user's access token, and a client with it.
    async fn user(&self) -> (String, Client) {
        let email = format!("{}@example.com", Uuid::new_v4());
        register(&self.users, &email).await;
        let pair = logged_in(&self.users, &email).await;
        (
            pair["access_token"].as_str().unwrap().to_owned(),
            with_token(&self.users, &pair),
        )
    }

    /// Logs a new user out everywhere, and returns the user's token.
    async fn log_out(&self) -> String {
        let (token, client) = self.user().await;
        client
            .post("/auth/logout-all", json!({}))
            .await
            .assert_status(204);
        token
    }

    /// The numbers of the rows in the stream of the broker, in their order.
    async fn stored(&self) -> Vec<i64> {
        let stream = self.stream().await;
        let state = &stream.cached_info().state;
        if state.messages == 0 {
            return Vec::new();
        }
        let mut events = Vec::new();
        for sequence in state.first_sequence..=state.last_sequence {
            let message = stream.get_raw_message(sequence).await.unwrap();
            let event = event_of(Some(&message.headers), &message.payload).unwrap();
            if !matches!(event, FeedEvent::Head(_)) {
                events.push(event.position().unwrap().seq);
            }
        }
        events
    }

    /// The stream of the broker, as it is now.
    async fn stream(&self) -> Stream {
        let jetstream = self.server.url_for("").connect("test").await.unwrap();
        jetstream.get_stream(STREAM).await.unwrap()
    }
}

fn borrowed<'v>(vars: &'v [(&'static str, String)]) -> Vec<(&'static str, &'v str)> {
    vars.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// Waits up to 20 seconds until a condition holds.
async fn eventually(condition: &str, holds: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds().await {
        assert!(Instant::now() < deadline, "timed out: {condition}");
        sleep(Duration::from_millis(2)).await;
    }
}

fn is_over_nats(verifier: &Verifier) -> bool {
    verifier.statistics().feed.unwrap().is_over_nats
}

async fn eventually_revoked(verifier: &Verifier, token: &str) {
    eventually("the token is revoked", async || {
        verifier.verify(token).await == Err(AuthError::Revoked)
    })
    .await;
}
