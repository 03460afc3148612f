//! Users who sell and buy on the platform.

use serde_json::{Value, json};
use test_kit::{Client, TestResponse};

use crate::DEADLINE;
use crate::fault_proxy::FaultProxy;
use crate::platform::{PASSWORD, Platform};
use crate::sandbox::Sandbox;
use crate::shop::lamp;

/// The body of an order of one product.
pub fn order_of(product: &str, quantity: i64) -> Value {
    json!({"items": [{"product_id": product, "quantity": quantity}]})
}

/// A logged-in user, as a client of every service.
pub struct Trader<'p> {
    platform: &'p Platform,
    token: String,
    http: reqwest::Client,
    /// The URL that [`try_post`](Self::try_post) uses.
    order_service: String,
}

impl<'p> Trader<'p> {
    /// The user with this email address, who registers if necessary.
    pub async fn named(platform: &'p Platform, email: &str) -> Self {
        platform.register(email).await;
        let pair = platform.login(email, PASSWORD).await.assert_status(200).json();
        Self::with_pair(platform, &pair)
    }

    pub async fn admin(platform: &'p Platform, sandbox: &Sandbox) -> Self {
        Self::with_pair(platform, &platform.login_admin(sandbox).await)
    }

    fn with_pair(platform: &'p Platform, pair: &Value) -> Self {
        let token = pair["access_token"].as_str().unwrap().to_owned();
        let http = reqwest::Client::builder().timeout(DEADLINE).build().unwrap();
        Self {
            platform,
            token,
            http,
            order_service: platform.url("order-service"),
        }
    }

    /// Sends [`try_post`](Self::try_post) through a proxy.
    pub fn via(self, proxy: &FaultProxy) -> Self {
        Self {
            order_service: proxy.url.clone(),
            ..self
        }
    }

    /// The access token.
    pub fn token(&self) -> &str {
        &self.token
    }

    pub fn at(&self, service: &str) -> Client {
        self.platform.anonymous_at(service).with_token(&self.token)
    }

    /// Creates a product with this stock, and returns its id.
    pub async fn create_product(&self, on_hand: i64) -> String {
        let product = self
            .at("product-service")
            .post("/products", lamp())
            .await
            .assert_status(201)
            .json();
        let id = product["id"].as_str().unwrap().to_owned();
        self.set_stock(&id, on_hand).await.assert_status(200);
        id
    }

    /// Sets the stock of a product.
    pub async fn set_stock(&self, product: &str, on_hand: i64) -> TestResponse {
        self.at("inventory-service")
            .put(&format!("/inventory/{product}"), json!({"on_hand": on_hand}))
            .await
    }

    /// Posts to order-service. Returns `None` without a response, because the service may die.
    pub async fn try_post(&self, key: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
        let url = format!("{}{path}", self.order_service);
        let request = self
            .http
            .post(url)
            .bearer_auth(&self.token)
            .header("idempotency-key", key)
            .json(body);
        let response = request.send().await.ok()?;
        Some((response.status().as_u16(), response.json().await.ok()?))
    }

    /// Like [`stock_of`](Self::stock_of), for a service that may be dead.
    pub async fn try_stock_of(&self, product: &str) -> Option<Value> {
        let url = format!("{}/inventory/{product}", self.platform.url("inventory-service"));
        self.http.get(url).send().await.ok()?.json().await.ok()
    }

    /// Like [`set_stock`](Self::set_stock), for a service that may be dead.
    pub async fn try_set_stock(&self, product: &str, on_hand: i64) {
        let url = format!("{}/inventory/{product}", self.platform.url("inventory-service"));
        drop(
            self.http
                .put(url)
                .bearer_auth(&self.token)
                .json(&json!({"on_hand": on_hand}))
                .send()
                .await,
        );
    }

    pub async fn place_order(&self, key: &str, product: &str, quantity: i64) -> TestResponse {
        self.at("order-service")
            .with("idempotency-key", key)
            .post("/orders", order_of(product, quantity))
            .await
    }

    pub async fn order(&self, id: &str) -> Value {
        self.at("order-service")
            .get(&format!("/orders/{id}"))
            .await
            .assert_status(200)
            .json()
    }

    /// Cancels or fulfils an order.
    pub async fn act(&self, action: &str, id: &str) -> TestResponse {
        self.at("order-service")
            .post(&format!("/orders/{id}/{action}"), json!({}))
            .await
    }

    pub async fn stock_of(&self, product: &str) -> Value {
        self.at("inventory-service")
            .get(&format!("/inventory/{product}"))
            .await
            .assert_status(200)
            .json()
    }
}
