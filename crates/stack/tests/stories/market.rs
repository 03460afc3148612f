//! A platform with people who trade on it.

use serde_json::{Value, json};
use test_kit::{Client, TestResponse};

use crate::SOON;
use crate::gate::Gate;
use crate::place::Place;
use crate::platform::Platform;
use crate::shop::lamp;

/// What to send to order so many of a product.
pub fn of(product: &str, quantity: i64) -> Value {
    json!({"items": [{"product_id": product, "quantity": quantity}]})
}

/// Somebody with a token, at every service.
pub struct Trader<'p> {
    platform: &'p Platform,
    token: String,
    http: reqwest::Client,
    /// Where they find order-service when they try something.
    order_service: String,
}

impl<'p> Trader<'p> {
    /// Somebody of this address, who registers if they have not yet.
    pub async fn named(platform: &'p Platform, email: &str) -> Self {
        platform.register(email).await;
        Self::logged_in(platform, email, crate::platform::PASSWORD).await
    }

    pub async fn admin(platform: &'p Platform, place: &Place) -> Self {
        Self::logged_in(platform, "admin@example.com", &place.secret("admin-password")).await
    }

    async fn logged_in(platform: &'p Platform, email: &str, password: &str) -> Self {
        let pair = platform.login(email, password).await.assert_status(200).json();
        let token = pair["access_token"].as_str().unwrap().to_owned();
        let http = reqwest::Client::builder().timeout(SOON).build().unwrap();
        Self {
            platform,
            token,
            http,
            order_service: platform.url("order-service"),
        }
    }

    /// Whatever they try at order-service goes through this gate.
    pub fn through(self, gate: &Gate) -> Self {
        Self {
            order_service: gate.url.clone(),
            ..self
        }
    }

    pub fn at(&self, service: &str) -> Client {
        self.platform.nobody_at(service).with_token(&self.token)
    }

    /// Puts a product up, with so many of it, and returns its id.
    pub async fn sells(&self, on_hand: i64) -> String {
        let product = self
            .at("product-service")
            .post("/products", lamp())
            .await
            .assert_status(201)
            .json();
        let id = product["id"].as_str().unwrap().to_owned();
        self.stocks(&id, on_hand).await.assert_status(200);
        id
    }

    /// Says how many there are.
    pub async fn stocks(&self, product: &str, on_hand: i64) -> TestResponse {
        self.at("inventory-service")
            .put(&format!("/inventory/{product}"), json!({"on_hand": on_hand}))
            .await
    }

    /// Asks order-service, which may die meanwhile: then there is no answer.
    pub async fn tries(&self, key: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
        let url = format!("{}{path}", self.order_service);
        let request = self
            .http
            .post(url)
            .bearer_auth(&self.token)
            .header("idempotency-key", key)
            .json(body);
        let answer = request.send().await.ok()?;
        Some((answer.status().as_u16(), answer.json().await.ok()?))
    }

    /// As [`stock_of`](Self::stock_of), of a service that may be dead.
    pub async fn looks_at_stock(&self, product: &str) -> Option<Value> {
        let url = format!("{}/inventory/{product}", self.platform.url("inventory-service"));
        self.http.get(url).send().await.ok()?.json().await.ok()
    }

    /// As [`stocks`](Self::stocks), at a service that may be dead.
    pub async fn tries_to_stock(&self, product: &str, on_hand: i64) {
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

    pub async fn orders(&self, key: &str, product: &str, quantity: i64) -> TestResponse {
        self.at("order-service")
            .with("idempotency-key", key)
            .post("/orders", of(product, quantity))
            .await
    }

    pub async fn order(&self, id: &str) -> Value {
        self.at("order-service")
            .get(&format!("/orders/{id}"))
            .await
            .assert_status(200)
            .json()
    }

    /// `cancel` or `fulfil`.
    pub async fn does(&self, what: &str, id: &str) -> TestResponse {
        self.at("order-service")
            .post(&format!("/orders/{id}/{what}"), json!({}))
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
