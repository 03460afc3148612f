//! order-service in a thread of its own, so that it can die in the middle of anything, beside neighbours that tests can break.

use std::ops::Deref;
use std::time::{Duration, Instant};

use actix_web::rt::{self, System};
use actix_web::rt::task::JoinHandle;
use auth::testing::Issuer;
use chrono::TimeDelta;
use order_service::{Config, NAME, startup};
use serde_json::{Value, json};
use service_kit::{Env, Settings};
use test_kit::{Answer, Client, Running, TestDatabase, TestHost, TestService};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::ledger::Ledger;
use crate::neighbours::Neighbours;

/// A shop that is open: the service, and whom it calls.
pub struct Shop {
    pub service: TestService,
    pub near: Neighbours,
    pub ledger: Ledger,
    kill: oneshot::Sender<()>,
}

/// A shop that is not.
pub struct Closed {
    issuer: Issuer,
    database: TestDatabase,
    near: Neighbours,
}

pub async fn shop() -> Shop {
    let (issuer, database) = (Issuer::new(NAME), TestDatabase::new().await);
    Closed { issuer, database, near: Neighbours::open() }.open().await
}

impl Closed {
    pub async fn open(self) -> Shop {
        let (kill, run) = run(&self.issuer, &self.near);
        let service = TestService::spawn_on(self.issuer, self.database, run);
        let ledger = Ledger::of(&service).await;
        Shop { service, near: self.near, ledger, kill }
    }
}

impl Shop {
    /// Another replica of the service, on the same database.
    pub async fn replica(&self) -> Self {
        let database = self.service.database().url();
        let (kill, run) = run(self.service.issuer(), &self.near);
        let issuer = self.service.issuer().clone();
        let service = TestService::spawn(issuer, move |host| run(TestHost { database, ..host })).await;
        Self { service, near: self.near.clone(), ledger: self.ledger.clone(), kill }
    }

    /// Everything that the service is at breaks off, as if its process were killed.
    pub async fn crash(self) -> Closed {
        drop(self.kill.send(()));
        let issuer = self.service.issuer().clone();
        Closed { issuer, database: self.service.stop().await, near: self.near }
    }

    /// The service stops as it should.
    pub async fn stop(self) -> Closed {
        let issuer = self.service.issuer().clone();
        // Kept until it has stopped: it means a crash.
        let (_kill, database) = (self.kill, self.service.stop().await);
        Closed { issuer, database, near: self.near }
    }

    /// Moves the service's clock on.
    pub fn advance(&self, seconds: i64) {
        self.issuer().clock().advance(TimeDelta::seconds(seconds));
    }

    /// A product at this price, of which there is so much.
    pub fn product(&self, price_cents: i64, on_hand: i64) -> Uuid {
        self.near.product(price_cents, on_hand)
    }

    pub async fn order(&self, name: &str, items: &[(Uuid, i64)]) -> Answer {
        self.user(name).post("/orders", basket(items)).await
    }

    pub async fn order_with_key(&self, name: &str, key: &str, items: &[(Uuid, i64)]) -> Answer {
        self.user(name).with("idempotency-key", key).post("/orders", basket(items)).await
    }

    /// An order that was made, as it is now.
    pub async fn show(&self, order: &str) -> Value {
        self.admin().get(&format!("/orders/{order}")).await.assert_status(200).json()
    }

    pub async fn status(&self, order: &str) -> String {
        self.show(order).await["status"].as_str().unwrap().to_owned()
    }

    /// Lets the worker do all that is left to do: leases end, pauses pass, and the circuits close.
    pub async fn settle(&self) {
        eventually("no task is left", async || {
            self.advance(1);
            self.ledger.tasks().await == 0
        })
        .await;
    }
}

impl Deref for Shop {
    type Target = TestService;

    fn deref(&self) -> &TestService {
        &self.service
    }
}

fn run(issuer: &Issuer, near: &Neighbours) -> (oneshot::Sender<()>, impl FnOnce(TestHost) -> Running + use<>) {
    let (kill, killed) = oneshot::channel::<()>();
    let (verifier, urls) = (issuer.verifier(), [&near.products, &near.inventory, &near.tokens].map(|door| door.url()));
    let run = move |TestHost { database, host }: TestHost| {
        let names = ["PRODUCT_SERVICE_URL", "INVENTORY_SERVICE_URL", "USER_SERVICE_URL"];
        let urls = names.into_iter().zip(urls.iter().map(String::as_str));
        let mut env = Env::from_vars(NAME, urls.chain([("ORDER_SERVICE_SECRET", "not-a-secret")]));
        let settings = Settings::read(&mut env, NAME);
        let config = Config { database, ..Config::read(&mut env, settings) };
        let config = env.finish(config).unwrap();
        let (ended, end) = oneshot::channel();
        std::thread::spawn(move || {
            let system = System::new();
            let outcome = system.block_on(async {
                tokio::select! {
                    outcome = startup::run_with(config, verifier, host) => outcome.map_err(|error| error.to_string()),
                    Ok(()) = killed => Ok(()),
                }
            });
            System::current().stop();
            drop(system.run());
            drop(ended.send(outcome));
        });
        let end = async { Ok(end.await.map_err(|_| "it panicked")??) };
        Box::pin(end) as Running
    };
    (kill, run)
}

pub fn basket(items: &[(Uuid, i64)]) -> Value {
    let line = |(product, quantity): &(Uuid, i64)| json!({"product_id": product, "quantity": quantity});
    json!({"items": items.iter().map(line).collect::<Vec<_>>()})
}

/// Somebody calls, and the test goes on meanwhile.
pub fn begin(client: &Client, path: &str, body: Value) -> JoinHandle<Answer> {
    let (client, path) = (client.clone(), path.to_owned());
    rt::spawn(async move { client.post(&path, body).await })
}

/// The id of the order that an answer is about.
pub fn id_of(answer: &Answer) -> String {
    let location = answer.header("location");
    location.strip_prefix("/orders/").unwrap_or_else(|| panic!("no order: {answer:?}")).to_owned()
}

/// Waits for it, and not for ever.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so().await {
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
