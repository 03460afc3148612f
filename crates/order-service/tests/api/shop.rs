//! order-service in a thread of its own, so that it can die in the middle of anything, beside neighbours that tests can break.

use std::error::Error;
use std::future::pending;
use std::net::TcpListener;
use std::ops::Deref;
use std::time::{Duration, Instant};

use actix_web::rt::task::JoinHandle;
use actix_web::rt::{self, System};
use auth::Clock;
use auth::testing::Issuer;
use chrono::TimeDelta;
use db::DatabaseUrl;
use order_service::{Config, NAME, startup};
use serde_json::{Value, json};
use service_kit::{Env, Runtime, Settings, Shutdown};
use test_kit::{Client, TestResponse, TestRuntime, TestService};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::ledger::Ledger;
use crate::neighbours::Neighbours;
use crate::weather::Door;

/// The service, and whom it calls.
pub struct Shop {
    pub service: TestService,
    pub near: Neighbours,
    pub ledger: Ledger,
    config: Config,
    clock: Clock,
    /// Stays open while the service is dead: whoever calls then waits for its next life.
    listener: TcpListener,
    life: Option<Life>,
    /// A client with connections to this life of the service only.
    nobody: Client,
}

/// A thread in which the service runs.
struct Life {
    kill: oneshot::Sender<()>,
    stop: oneshot::Sender<()>,
    end: oneshot::Receiver<()>,
}

pub async fn shop() -> Shop {
    let issuer = Issuer::new(NAME);
    let clock = issuer.clock().clone();
    Shop::open(issuer, clock, Neighbours::open(), None).await
}

impl Shop {
    async fn open(issuer: Issuer, clock: Clock, near: Neighbours, database: Option<DatabaseUrl>) -> Self {
        let mut given = None;
        let run = |runtime| {
            given = Some(runtime);
            pending::<Result<(), Box<dyn Error>>>()
        };
        let service = TestService::spawn(issuer, run).await;
        let TestRuntime {
            database: own,
            runtime,
        } = given.unwrap();
        let config = config(database.unwrap_or(own), &near);
        let ledger = Ledger::of(&config.database).await;
        let nobody = service.anonymous().clone();
        let listener = runtime.listener;
        let mut shop = Self {
            service,
            near,
            ledger,
            config,
            clock,
            listener,
            life: None,
            nobody,
        };
        shop.start();
        shop
    }

    /// Another replica of the service, on the same database.
    pub async fn replica(&self) -> Self {
        self.replica_with(self.clock.clone()).await
    }

    /// A replica whose clock is so many seconds behind.
    pub async fn replica_behind(&self, seconds: i64) -> Self {
        let clock = Clock::fixed();
        clock.advance(self.clock.now() - clock.now() - TimeDelta::seconds(seconds));
        self.replica_with(clock).await
    }

    async fn replica_with(&self, clock: Clock) -> Self {
        let (issuer, database) = (self.issuer().clone(), self.config.database.clone());
        Self::open(issuer, clock, self.near.clone(), Some(database)).await
    }

    /// The service begins a life.
    pub fn start(&mut self) {
        let (kill, killed) = oneshot::channel::<()>();
        let (stop, stopped) = oneshot::channel::<()>();
        let (ended, end) = oneshot::channel();
        let runtime = Runtime {
            listener: self.listener.try_clone().unwrap(),
            shutdown: Shutdown::when(async { drop(stopped.await) }),
            clock: self.clock.clone(),
            revocations: self.issuer().revocations().clone(),
        };
        let (config, verifier) = (self.config.clone(), self.issuer().verifier());
        std::thread::spawn(move || {
            let system = System::new();
            let context = system.block_on(async {
                tokio::select! {
                    outcome = startup::run_with(config, verifier, runtime) => outcome.unwrap(),
                    Ok(()) = killed => {}
                }
                tokio::runtime::Handle::current()
            });
            System::current().stop();
            // Connections that are dropped with the runtime want one around them.
            let _context = context.enter();
            drop(system.run());
            drop(ended);
        });
        self.life = Some(Life { kill, stop, end });
        self.nobody = Client::new(format!("http://{}", self.address()));
    }

    /// Everything that the service is at breaks off, as if its process were killed.
    pub async fn crash(&mut self) {
        let Life {
            kill,
            stop: _stop,
            end,
        } = self.life.take().unwrap();
        kill.send(()).unwrap();
        end.await.unwrap_err();
    }

    /// The service stops as it should.
    pub async fn stop(&mut self) {
        let Life {
            kill: _kill,
            stop,
            end,
        } = self.life.take().unwrap();
        stop.send(()).unwrap();
        end.await.unwrap_err();
    }

    pub fn user(&self, name: &str) -> Client {
        self.call_as(name, &["user"])
    }

    pub fn support(&self) -> Client {
        self.call_as("support", &["user", "support"])
    }

    pub fn admin(&self) -> Client {
        self.call_as("admin", &["user", "admin"])
    }

    fn call_as(&self, name: &str, roles: &[&str]) -> Client {
        self.nobody.with_token(&self.person(name, roles).token())
    }

    /// Moves the service's clock on.
    pub fn advance(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }

    /// A product at this price, of which there is so much.
    pub fn product(&self, price_cents: i64, on_hand: i64) -> Uuid {
        self.near.product(price_cents, on_hand)
    }

    pub async fn order(&self, name: &str, items: &[(Uuid, i64)]) -> TestResponse {
        self.user(name).post("/orders", basket(items)).await
    }

    pub async fn order_with_key(&self, name: &str, key: &str, items: &[(Uuid, i64)]) -> TestResponse {
        self.user(name)
            .with("idempotency-key", key)
            .post("/orders", basket(items))
            .await
    }

    /// An order that was made, as it is now.
    pub async fn show(&self, order: &str) -> Value {
        self.admin()
            .get(&format!("/orders/{order}"))
            .await
            .assert_status(200)
            .json()
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

fn config(database: DatabaseUrl, near: &Neighbours) -> Config {
    let urls = [&near.products, &near.inventory, &near.tokens].map(Door::url);
    let names = ["PRODUCT_SERVICE_URL", "INVENTORY_SERVICE_URL", "USER_SERVICE_URL"];
    let urls = names.into_iter().zip(urls.iter().map(String::as_str));
    let mut env = Env::from_vars(NAME, urls.chain([("ORDER_SERVICE_SECRET", "not-a-secret")]));
    let settings = Settings::read(&mut env, NAME);
    let config = Config {
        database,
        ..Config::read(&mut env, settings)
    };
    env.finish(config).unwrap()
}

pub fn basket(items: &[(Uuid, i64)]) -> Value {
    let line = |(product, quantity): &(Uuid, i64)| json!({"product_id": product, "quantity": quantity});
    json!({"items": items.iter().map(line).collect::<Vec<_>>()})
}

/// Somebody calls, and the test goes on meanwhile.
pub fn begin(client: &Client, path: &str, body: Value) -> JoinHandle<TestResponse> {
    let (client, path) = (client.clone(), path.to_owned());
    rt::spawn(async move { client.post(&path, body).await })
}

/// The id of the order that an answer is about.
pub fn id_of(answer: &TestResponse) -> String {
    let location = answer.header("location");
    location
        .strip_prefix("/orders/")
        .unwrap_or_else(|| panic!("no order: {answer:?}"))
        .to_owned()
}

/// Waits for it, and not for ever.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so().await {
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
