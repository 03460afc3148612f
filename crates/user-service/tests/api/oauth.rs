//! A fixture for tests of the OAuth endpoints: user-service with two registered clients.

use auth::{KeySet, Keys, Profile, Verifier};
use serde_json::Value;
use test_kit::{Client, TestResponse, TestService};

use crate::{random_secret, service_with};

pub const CLIENT: &str = "order-service";
const INVENTORY_TOKEN_FORM: &str = "grant_type=client_credentials&audience=inventory-service";

/// user-service, and two clients that authenticate with their client secrets.
pub struct OAuthFixture {
    pub users: TestService,
    pub orders: Client,
    pub inventory: Client,
}

impl OAuthFixture {
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    pub async fn with(vars: &[(&str, &str)]) -> Self {
        let (orders, inventory) = (random_secret(), random_secret());
        let secrets = [
            ("ORDER_SERVICE_SECRET", orders.as_str()),
            ("INVENTORY_SERVICE_SECRET", &inventory),
        ];
        let vars: Vec<_> = vars.iter().copied().chain(secrets).collect();
        let users = service_with(&vars).await;
        let client = |name, secret: &str| users.anonymous().with_basic_auth(name, secret);
        Self {
            orders: client(CLIENT, &orders),
            inventory: client("inventory-service", &inventory),
            users,
        }
    }

    /// A token with which order-service calls inventory-service.
    pub async fn inventory_token(&self) -> String {
        let response = request_inventory_token(&self.orders)
            .await
            .assert_status(200)
            .json();
        response
            .get("access_token")
            .and_then(Value::as_str)
            .unwrap()
            .to_owned()
    }

    /// The verifier of the service with this name. It has only the published keys.
    pub async fn verifier_of(&self, name: &str) -> Verifier {
        let jwks = self
            .users
            .anonymous()
            .get("/.well-known/jwks.json")
            .await
            .assert_status(200)
            .body
            .clone();
        let keys =
            KeySet::from_jwks(jwks.as_bytes(), &[auth::Algorithm::EdDSA, auth::Algorithm::ES256]).unwrap();
        let profile = Profile::countersign(name);
        let verifier = Verifier::builder("http://localhost:8080", Keys::new(keys), profile);
        verifier.clock(self.users.issuer().clock().clone()).build()
    }
}

pub async fn request_inventory_token(client: &Client) -> TestResponse {
    client.post_form("/oauth/token", INVENTORY_TOKEN_FORM).await
}

pub async fn introspect(client: &Client, token: &str) -> TestResponse {
    client
        .post_form("/oauth/introspect", &format!("token={token}"))
        .await
}

pub async fn revoke(client: &Client, token: &str) -> TestResponse {
    client.post_form("/oauth/revoke", &format!("token={token}")).await
}
