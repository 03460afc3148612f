//! A fixture for tests with verifiers: user-service, and services that follow its revocation feed with real service tokens.

use std::future::Future;
use std::time::{Duration, Instant};

use actix_web::rt::time::sleep;
use auth::{Clock, Keys, Profile, RemoteKeys, RevocationFeed, ServiceCredentials, Verifier};
use serde_json::{Value, json};
use test_kit::{Client, TestService};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::{random_secret, replica, restart, service_with, with_token};

pub const ORDERS: &str = "order-service";
pub const INVENTORY: &str = "inventory-service";
const ISSUER: &str = "http://localhost:8080";
const DEADLINE: Duration = Duration::from_secs(20);

/// user-service, and the secrets of two services.
pub struct VerifiersFixture {
    pub users: TestService,
    orders_secret: String,
    inventory_secret: String,
    token_lifetime: &'static str,
}

impl VerifiersFixture {
    pub async fn new() -> Self {
        Self::with_token_lifetime("15m").await
    }

    pub async fn with_token_lifetime(token_lifetime: &'static str) -> Self {
        let (orders_secret, inventory_secret) = (random_secret(), random_secret());
        let users = service_with(&vars(&orders_secret, &inventory_secret, token_lifetime)).await;
        has_started(&users).await;
        Self {
            users,
            orders_secret,
            inventory_secret,
            token_lifetime,
        }
    }

    fn vars(&self) -> Vars<'_> {
        vars(&self.orders_secret, &self.inventory_secret, self.token_lifetime)
    }

    /// Another replica of user-service.
    pub async fn replica(&self) -> TestService {
        let replica = replica(&self.users, &self.vars());
        has_started(&replica).await;
        replica
    }

    /// Stops user-service and starts it again.
    pub async fn restart(self) -> Self {
        let vars = vars(&self.orders_secret, &self.inventory_secret, self.token_lifetime);
        Self {
            users: restart(self.users, &vars).await,
            ..self
        }
    }

    fn secret(&self, service: &str) -> &str {
        match service {
            ORDERS => &self.orders_secret,
            _ => &self.inventory_secret,
        }
    }

    /// The verifier of a service, which follows the keys and the feed of this replica. It has its first snapshot.
    pub async fn verifier(&self, service: &str, at: &TestService) -> Verifier {
        self.verifier_with_clock(service, at, self.users.issuer().clock().clone())
            .await
    }

    /// The same with its own clock.
    pub async fn verifier_with_clock(&self, service: &str, at: &TestService, clock: Clock) -> Verifier {
        let origin = format!("http://{}", at.address());
        let credentials = ServiceCredentials::new(
            service,
            self.secret(service).into(),
            format!("{origin}/oauth/token"),
        );
        let keys = RemoteKeys::at(&format!("{origin}/.well-known/jwks.json")).unwrap();
        let verifier = Verifier::builder(ISSUER, Keys::remote(keys), Profile::countersign(service))
            .clock(clock)
            .feed(RevocationFeed::at(&credentials, "user-service", &origin).unwrap())
            .build();
        eventually("the first snapshot", async || {
            verifier.has_revocations() && verifier.has_keys()
        })
        .await;
        verifier
    }

    /// The text of a token with which a service calls another one.
    pub async fn service_token(&self, service: &str, audience: &str) -> String {
        let form = format!("grant_type=client_credentials&audience={audience}");
        let client = self
            .users
            .anonymous()
            .with_basic_auth(service, self.secret(service));
        let token = client
            .post_form("/oauth/token", &form)
            .await
            .assert_status(200)
            .json();
        token["access_token"].as_str().unwrap().to_owned()
    }

    /// A client with which a service calls user-service.
    pub async fn service(&self, service: &str) -> Client {
        let token = self.service_token(service, "user-service").await;
        with_token(&self.users, &json!({"access_token": token}))
    }

    /// Reports that an instance of order-service holds these keys.
    pub async fn report(&self, at: &TestService, instance: Uuid, kids: &[&str]) {
        let body = json!({"instance": instance, "kids": kids});
        self.service(ORDERS)
            .await
            .at(at.anonymous())
            .post("/internal/keys/held", body)
            .await
            .assert_status(204);
    }

    /// A stream of an instance of order-service, which does not report its keys. It is open until it is dropped.
    pub async fn open_stream(&self, instance: Uuid) -> TcpStream {
        let token = self.service_token(ORDERS, "user-service").await;
        let request = format!(
            "GET /internal/revocations?instance={instance} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        let mut stream = TcpStream::connect(self.users.address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let (mut received, mut buffer) = (Vec::new(), [0; 4_096]);
        while !String::from_utf8_lossy(&received).contains("event: ready") {
            let count = stream.read(&mut buffer).await.unwrap();
            assert!(count > 0, "{}", String::from_utf8_lossy(&received));
            received.extend_from_slice(&buffer[..count]);
        }
        stream
    }
}

type Vars<'v> = [(&'static str, &'v str); 3];

fn vars<'v>(orders: &'v str, inventory: &'v str, token_lifetime: &'v str) -> Vars<'v> {
    [
        ("ACCESS_TOKEN_TTL", token_lifetime),
        ("ORDER_SERVICE_SECRET", orders),
        ("INVENTORY_SERVICE_SECRET", inventory),
    ]
}

/// Waits until a service accepts requests. Then it has created its keys.
async fn has_started(service: &TestService) {
    service.anonymous().get("/health/live").await.assert_status(200);
}

/// Waits up to 20 seconds until a condition holds.
pub async fn eventually<F: Future<Output = bool>>(condition: &str, holds: impl Fn() -> F) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < DEADLINE, "timed out: {condition}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// The ids of the published keys.
pub async fn published_kids(service: &TestService) -> Vec<String> {
    let jwks = service.anonymous().get("/.well-known/jwks.json").await.json();
    let kid = |key: &Value| key["kid"].as_str().unwrap().to_owned();
    jwks["keys"].as_array().unwrap().iter().map(kid).collect()
}
