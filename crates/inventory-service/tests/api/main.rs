//! Tests of inventory-service over HTTP.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test panics when its setup fails"
)]

mod catalogue;
mod concurrency;
mod every_route;
mod journal;
mod model;
mod outages;
mod refusals;
mod reservations;
mod stock;
mod strategies;

use auth::testing::Issuer;
use inventory_service::{Config, NAME, startup};
use serde_json::{Value, json};
use service_kit::{Env, KeySource, Settings, UserAuthentication, id};
use test_kit::{Client, Running, TestResponse, TestRuntime, TestService};
use uuid::Uuid;

use crate::catalogue::Catalogue;

/// inventory-service under test, with a fake product-service.
struct Shop {
    service: TestService,
    catalogue: Catalogue,
    /// A client with the token of order-service.
    orders: Client,
}

async fn shop() -> Shop {
    let catalogue = Catalogue::open();
    let issuer = Issuer::new(NAME);
    let run = run(&issuer, &catalogue);
    Shop::of(TestService::spawn(issuer, run).await, catalogue)
}

impl Shop {
    fn of(service: TestService, catalogue: Catalogue) -> Self {
        let orders = service.service("order-service");
        Self {
            service,
            catalogue,
            orders,
        }
    }

    /// Stops the service and starts it again on the same database.
    async fn restart(self) -> Self {
        let issuer = self.service.issuer().clone();
        let run = run(&issuer, &self.catalogue);
        Self::of(
            TestService::spawn_on(issuer, self.service.stop().await, run),
            self.catalogue,
        )
    }

    /// Adds a product that Ada owns and that was never stocked. Later products have higher ids.
    fn product(&self) -> Uuid {
        let owner = self
            .service
            .user_token("ada", &["user"])
            .claims()
            .sub
            .parse()
            .unwrap();
        self.catalogue.add(owner)
    }

    /// Adds a product that Ada owns, with this stock.
    async fn product_with(&self, on_hand: i64) -> Uuid {
        let product = self.product();
        self.set(product, on_hand).await.assert_status(200);
        product
    }

    async fn set(&self, product: Uuid, on_hand: i64) -> TestResponse {
        self.service
            .user("ada")
            .put(&url(product), json!({"on_hand": on_hand}))
            .await
    }

    async fn reserve(&self, order: Uuid, items: &[(Uuid, i64)]) -> TestResponse {
        let body = json!({"order_id": order, "items": lines(items)});
        self.orders.post("/reservations", body).await
    }

    async fn commit(&self, order: Uuid) -> TestResponse {
        self.orders
            .post(&format!("/reservations/{order}/commit"), json!({}))
            .await
    }

    async fn release(&self, order: Uuid) -> TestResponse {
        self.orders.delete(&format!("/reservations/{order}")).await
    }

    /// The product's quantities on hand, reserved and available, as clients see them.
    async fn stock(&self, product: Uuid) -> [i64; 3] {
        let stock = self
            .service
            .anonymous()
            .get(&url(product))
            .await
            .assert_status(200)
            .json();
        ["on_hand", "reserved", "available"].map(|member| stock[member].as_i64().unwrap())
    }
}

fn run(issuer: &Issuer, catalogue: &Catalogue) -> impl FnOnce(TestRuntime) -> Running + use<> {
    run_with(issuer, catalogue, UserAuthentication::AccessTokens)
}

fn run_with(
    issuer: &Issuer,
    catalogue: &Catalogue,
    users: UserAuthentication,
) -> impl FnOnce(TestRuntime) -> Running + use<> {
    let (keys, url) = (KeySource::Fixed(issuer.key_set()), catalogue.url().to_owned());
    move |TestRuntime { database, runtime }| {
        let vars = [
            ("PRODUCT_SERVICE_URL", url.as_str()),
            ("INVENTORY_SERVICE_SECRET", "not-a-secret"),
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

fn url(product: Uuid) -> String {
    format!("/inventory/{product}")
}

fn lines(items: &[(Uuid, i64)]) -> Value {
    let line = |(product, quantity): &(Uuid, i64)| json!({"product_id": product, "quantity": quantity});
    items.iter().map(line).collect()
}

/// A new id.
fn new_id() -> Uuid {
    id::new(auth::Clock::system().now())
}
