//! Products and buyers.

use std::time::Duration;

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Failure;
use crate::platform::Platform;

pub(crate) const BUYERS: usize = 16;
const PRODUCTS: usize = 20;
/// More than all buyers can order.
const ON_HAND: i64 = 1_000_000_000;
const PASSWORD: &str = "correct horse battery";

/// Products on a platform, and logged-in buyers.
#[derive(Debug)]
pub(crate) struct Shop {
    http: reqwest::Client,
    orders: String,
    pub products: Vec<Uuid>,
    pub buyers: Vec<Token>,
    pub admin: Token,
}

/// An access token.
#[derive(Clone)]
pub(crate) struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Token").finish_non_exhaustive()
    }
}

impl Shop {
    /// Logs the buyers in, and creates the products.
    pub(crate) async fn open(platform: &Platform) -> Result<Self, Failure> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .build()?;
        let login_url = format!("{}/auth/login", platform.url("user-service")?);
        let log_in = async |email: &str, password: &str| {
            let pair = answer(
                http.post(&login_url)
                    .json(&json!({"email": email, "password": password})),
            )
            .await?;
            Ok::<_, Failure>(Token(text(&pair, "access_token")?))
        };
        let password = std::fs::read_to_string(platform.data("admin-password"))?;
        let admin = log_in("admin@example.com", password.trim_end()).await?;

        let mut buyers = Vec::new();
        for number in 0..BUYERS {
            let email = format!("buyer-{number}@example.com");
            let body = json!({"email": email, "password": PASSWORD, "name": "Ada"});
            answer(
                http.post(format!("{}/auth/register", platform.url("user-service")?))
                    .json(&body),
            )
            .await?;
            buyers.push(log_in(&email, PASSWORD).await?);
        }

        let (catalogue, stock) = (
            platform.url("product-service")?,
            platform.url("inventory-service")?,
        );
        let mut products = Vec::new();
        for _ in 0..PRODUCTS {
            let lamp = json!({"name": "Lamp", "price_cents": 1999, "currency": "EUR"});
            let put_up = http
                .post(format!("{catalogue}/products"))
                .bearer_auth(&admin.0)
                .json(&lamp);
            let id = text(&answer(put_up).await?, "id")?;
            let count = http
                .put(format!("{stock}/inventory/{id}"))
                .json(&json!({"on_hand": ON_HAND}));
            answer(count.bearer_auth(&admin.0)).await?;
            products.push(id.parse()?);
        }
        let orders = format!("{}/orders", platform.url("order-service")?);
        Ok(Self {
            http,
            orders,
            products,
            buyers,
            admin,
        })
    }

    /// Orders one piece of a random product.
    pub(crate) async fn order(&self, buyer: &Token) -> Result<u16, Failure> {
        let key = Uuid::new_v4();
        let [random, ..] = *key.as_bytes();
        let product = self.products.get(usize::from(random) % self.products.len());
        let body = json!({"items": [{"product_id": product, "quantity": 1}]});
        let request = self.http.post(&self.orders).bearer_auth(&buyer.0);
        status(request.header("idempotency-key", key.to_string()).json(&body)).await
    }

    /// Reads the first page of the buyer's orders.
    pub(crate) async fn list_own(&self, buyer: &Token) -> Result<u16, Failure> {
        status(self.http.get(&self.orders).bearer_auth(&buyer.0)).await
    }

    /// Reads the first page of all pending orders.
    pub(crate) async fn list_pending(&self, admin: &Token) -> Result<u16, Failure> {
        status(
            self.http
                .get(format!("{}?status=pending", self.orders))
                .bearer_auth(&admin.0),
        )
        .await
    }
}

async fn status(request: RequestBuilder) -> Result<u16, Failure> {
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    answer.bytes().await?;
    Ok(status)
}

async fn answer(request: RequestBuilder) -> Result<Value, Failure> {
    Ok(request.send().await?.error_for_status()?.json().await?)
}

fn text(answer: &Value, field: &str) -> Result<String, Failure> {
    let text = answer.get(field).and_then(Value::as_str);
    text.map(str::to_owned)
        .ok_or_else(|| format!("a response without {field}").into())
}
