//! Tests of review-service over HTTP.
#![expect(clippy::unwrap_used, reason = "a test panics when its setup fails")]

mod every_route;
mod fake_orders;
mod outages;
mod reviews;
mod strategies;

use auth::testing::Issuer;
use serde_json::{Value, json};
use service_kit::{Env, KeySource, Settings, UserAuthentication, id};
use test_kit::{Running, TestResponse, TestRuntime, TestService};
use uuid::Uuid;

use review_service::{Config, NAME, startup};

use crate::fake_orders::FakeOrders;

/// review-service under test, with a fake order-service.
struct Shop {
    service: TestService,
    orders: FakeOrders,
}

async fn shop() -> Shop {
    let orders = FakeOrders::open();
    let issuer = Issuer::new(NAME);
    let run = run_with(&issuer, &orders, UserAuthentication::AccessTokens);
    let service = TestService::spawn(issuer, run).await;
    Shop { service, orders }
}

impl Shop {
    /// A new product that these users have bought.
    fn product_of(&self, buyers: &[&str]) -> Uuid {
        let product = id::new(auth::Clock::system().now());
        for buyer in buyers {
            let token = self.service.user_token(buyer, &["user"]);
            self.orders.add(token.claims().sub.parse().unwrap(), product);
        }
        product
    }

    async fn review(&self, author: &str, review: Value) -> TestResponse {
        self.service.user(author).post("/reviews", review).await
    }
}

/// A review of this product.
fn praise(product: Uuid) -> Value {
    json!({"product_id": product, "stars": 5, "text": "It gives light."})
}

fn run_with(
    issuer: &Issuer,
    orders: &FakeOrders,
    users: UserAuthentication,
) -> impl FnOnce(TestRuntime) -> Running + use<> {
    let (keys, url) = (KeySource::Fixed(issuer.key_set()), orders.url().to_owned());
    move |TestRuntime { database, runtime }| {
        let vars = [
            ("ORDER_SERVICE_URL", url.as_str()),
            ("USER_SERVICE_URL", url.as_str()),
            ("REVIEW_SERVICE_SECRET", "not-a-secret"),
        ];
        let mut env = Env::from_vars(NAME, vars);
        let settings = Settings::read(&mut env, NAME);
        let mut config = Config::read(&mut env, settings);
        config.database = database;
        config.auth.keys = keys;
        config.auth.feed = None;
        config.auth.users = users;
        Box::pin(startup::run(env.finish(config).unwrap(), runtime))
    }
}
