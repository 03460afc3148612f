//! inventory-service through its front door.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at what can't be"
)]

mod at_once;
mod books;
mod catalogue;
mod every_route;
mod model;
mod neighbour;
mod refusals;
mod reserving;
mod stock;

use auth::testing::Issuer;
use inventory_service::{Config, NAME, startup};
use serde_json::{Value, json};
use service_kit::{Env, Settings, id};
use test_kit::{Client, Running, TestResponse, TestRuntime, TestService};
use uuid::Uuid;

use crate::catalogue::Catalogue;

/// inventory-service, beside a catalogue that tests can break.
struct Shop {
    service: TestService,
    catalogue: Catalogue,
    /// order-service, as a caller.
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

    /// The same shop, stopped and started again.
    async fn restart(self) -> Self {
        let issuer = self.service.issuer().clone();
        let run = run(&issuer, &self.catalogue);
        Self::of(
            TestService::spawn_on(issuer, self.service.stop().await, run),
            self.catalogue,
        )
    }

    /// A product of ada's that was never stocked. Later ones have higher ids.
    fn product(&self) -> Uuid {
        let owner = self
            .service
            .person("ada", &["user"])
            .claims()
            .sub
            .parse()
            .unwrap();
        self.catalogue.put_up(owner)
    }

    /// A product of ada's of which there is so much.
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

    /// What anybody is told of a product: on hand, reserved, available.
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
    let (verifier, url) = (issuer.verifier(), catalogue.url().to_owned());
    move |TestRuntime { database, runtime }| {
        let vars = [
            ("PRODUCT_SERVICE_URL", url.as_str()),
            ("INVENTORY_SERVICE_SECRET", "not-a-secret"),
        ];
        let mut env = Env::from_vars(NAME, vars);
        let settings = Settings::read(&mut env, NAME);
        let config = Config {
            database,
            ..Config::read(&mut env, settings)
        };
        Box::pin(startup::run_with(env.finish(config).unwrap(), verifier, runtime))
    }
}

fn url(product: Uuid) -> String {
    format!("/inventory/{product}")
}

fn lines(items: &[(Uuid, i64)]) -> Value {
    let line = |(product, quantity): &(Uuid, i64)| json!({"product_id": product, "quantity": quantity});
    items.iter().map(line).collect()
}

/// An id that nothing has yet.
fn order() -> Uuid {
    id::new(auth::Clock::system().now())
}
