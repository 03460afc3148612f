//! What the tests of OAuth's endpoints have in common: services that have secrets.

use auth::{KeySet, Keys, Verifier};
use serde_json::Value;
use test_kit::{Client, TestResponse, TestService};

use crate::{made_up, service_with};

pub const CLIENT: &str = "order-service";
const ASK_FOR_STOCK: &str = "grant_type=client_credentials&audience=inventory-service";

/// user-service, and two services that know their secrets.
pub struct House {
    pub users: TestService,
    pub orders: Client,
    pub stock: Client,
}

impl House {
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    pub async fn with(vars: &[(&str, &str)]) -> Self {
        let (orders, stock) = (made_up(), made_up());
        let secrets = [
            ("ORDER_SERVICE_SECRET", orders.as_str()),
            ("INVENTORY_SERVICE_SECRET", &stock),
        ];
        let vars: Vec<_> = vars.iter().copied().chain(secrets).collect();
        let users = service_with(&vars).await;
        let client = |name, secret: &str| users.anonymous().with_basic_auth(name, secret);
        Self {
            orders: client(CLIENT, &orders),
            stock: client("inventory-service", &stock),
            users,
        }
    }

    /// A token with which order-service calls inventory-service.
    pub async fn token_for_stock(&self) -> String {
        let answer = ask_for_stock(&self.orders).await.assert_status(200).json();
        answer
            .get("access_token")
            .and_then(Value::as_str)
            .unwrap()
            .to_owned()
    }

    /// The verifier of a service of this name, which has the published keys and nothing else.
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
        let verifier = Verifier::builder(name, "http://localhost:8080", Keys::fixed(keys));
        verifier.clock(self.users.issuer().clock().clone()).build()
    }
}

pub async fn ask_for_stock(client: &Client) -> TestResponse {
    client.post_form("/oauth/token", ASK_FOR_STOCK).await
}

pub async fn introspect(client: &Client, token: &str) -> TestResponse {
    client
        .post_form("/oauth/introspect", &format!("token={token}"))
        .await
}

pub async fn revoke(client: &Client, token: &str) -> TestResponse {
    client.post_form("/oauth/revoke", &format!("token={token}")).await
}
