//! Tests of product-service over HTTP.

mod catalogue;
mod changing;
mod every_route;
mod health;
mod strategies;

use auth::testing::Issuer;
use product_service::{Config, NAME, startup};
use serde_json::{Value, json};
use service_kit::{AuthSettings, Env, KeySource, Settings, UserAuthentication};
use test_kit::{Client, Running, TestRuntime, TestService};

/// Starts the service.
async fn shop() -> TestService {
    let issuer = Issuer::new(NAME);
    let run = run(&issuer);
    TestService::spawn(issuer, run).await
}

/// Stops the service and starts it again on the same database.
async fn restart(shop: TestService) -> TestService {
    let issuer = shop.issuer().clone();
    let run = run(&issuer);
    TestService::spawn_on(issuer, shop.stop().await, run)
}

fn run(issuer: &Issuer) -> impl FnOnce(TestRuntime) -> Running + use<> {
    run_with(issuer, UserAuthentication::AccessTokens)
}

fn run_with(issuer: &Issuer, users: UserAuthentication) -> impl FnOnce(TestRuntime) -> Running + use<> {
    let keys = KeySource::Fixed(issuer.key_set());
    move |TestRuntime { database, runtime }| {
        let mut env = Env::from_vars(NAME, []);
        let auth = AuthSettings {
            keys,
            users,
            feed: None,
            ..Settings::read(&mut env, NAME).auth
        };
        Box::pin(startup::run(Config { database, auth }, runtime))
    }
}

/// The product that most tests create.
fn lamp() -> Value {
    json!({"name": "Lamp", "description": "Gives light.", "price_cents": 1_999, "currency": "EUR"})
}

/// Creates a product and returns its URL.
async fn create(seller: &Client, product: Value) -> String {
    let answer = seller.post("/products", product).await;
    answer.assert_status(201);
    answer.header("location").to_owned()
}
