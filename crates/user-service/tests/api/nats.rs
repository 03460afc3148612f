//! The relay of the revocation feed to NATS.

use std::time::Duration;

use auth::nats::{STREAM, event_of};
use auth::testing::{Issuer, NatsServer};
use auth::{FeedEvent, Keys, RevocationFeed, ServiceCredentials, Verifier};
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
        let vars = vec![
            ("JWT_SECRET", random_secret()),
            ("PRODUCT_SERVICE_SECRET", random_secret()),
            ("NATS_URL", server.url()),
        ];
        let issuer = Issuer::with_secret(NAME, &vars[0].1);
        let users = TestService::spawn(issuer, run(&borrowed(&vars))).await;
        users.anonymous().get("/health/ready").await.assert_status(200);
        Self { server, users, vars }
    }

    /// A verifier of another service that follows the feed over NATS.
    async fn verifier(&self) -> Verifier {
        let origin = format!("http://{}", self.users.address());
        let token_url = format!("{origin}/oauth/token");
        let credentials = ServiceCredentials::new(READER, self.vars[1].1.clone().into(), token_url);
        let feed = RevocationFeed::at(&credentials, NAME, &origin).unwrap();
        let settings = config(&borrowed(&self.vars)).auth;
        let keys = Keys::new(self.users.issuer().key_set());
        let verifier = Verifier::builder(READER, &settings.issuer, keys)
            .audience(&settings.audience)
            .feed(feed.over_nats(self.server.url_for(""), READER))
            .build();
        eventually("NATS is followed", async || {
            verifier.statistics().feed.unwrap().is_over_nats
        })
        .await;
        verifier
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

    /// All events in the stream of the broker, except heads.
    async fn stored(&self) -> Vec<FeedEvent> {
        let jetstream = self.server.url_for("").connect("test").await.unwrap();
        let stream = jetstream.get_stream(STREAM).await.unwrap();
        let state = &stream.cached_info().state;
        let mut events = Vec::new();
        for sequence in state.first_sequence..=state.last_sequence {
            let message = stream.get_raw_message(sequence).await.unwrap();
            let event = event_of(Some(&message.headers), &message.payload).unwrap();
            if !matches!(event, FeedEvent::Head(_)) {
                events.push(event);
            }
        }
        events
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
        eventually("the token is revoked", async || {
            verifier.verify(&token).await.is_err()
        })
        .await;
        times.push(committed.elapsed());
    }
    times.sort_unstable();
    assert!(times[4] < Duration::from_millis(100), "{times:?}");
    assert!(verifier.statistics().feed.unwrap().is_over_nats);
    assert_eq!(platform.stored().await.len(), 9);
    eprintln!("{times:?}");
}
