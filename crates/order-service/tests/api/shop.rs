//! order-service under test. It runs in a separate thread, so that tests can crash it at any point, with fake neighbours.

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
use service_kit::{Env, KeySource, Runtime, Settings, Shutdown};
use test_kit::{Client, TestResponse, TestRuntime, TestService};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::database::OrderDb;
use crate::fault_proxy::FaultProxy;
use crate::neighbours::Neighbours;

/// One replica of the service, and its neighbours.
pub struct Shop {
    pub service: TestService,
    pub neighbours: Neighbours,
    pub db: OrderDb,
    pub config: Config,
    clock: Clock,
    /// Stays open while the service is down: a client that calls then waits for the next start.
    listener: TcpListener,
    run: Option<Run>,
    /// An anonymous client. Each start gets a new one, without connections to the previous run.
    client: Client,
}

/// A running service.
struct Run {
    kill: oneshot::Sender<()>,
    stop: oneshot::Sender<()>,
    /// Closed when the thread has ended.
    ended: oneshot::Receiver<()>,
}

pub async fn shop() -> Shop {
    let issuer = Issuer::new(NAME);
    let clock = issuer.clock().clone();
    Shop::open(issuer, clock, Neighbours::open(), None).await
}

impl Shop {
    async fn open(
        issuer: Issuer,
        clock: Clock,
        neighbours: Neighbours,
        database: Option<DatabaseUrl>,
    ) -> Self {
        // Takes over what test-kit prepares for a service, and runs the service itself.
        let mut prepared = None;
        let run = |runtime| {
            prepared = Some(runtime);
            pending::<Result<(), Box<dyn Error>>>()
        };
        let service = TestService::spawn(issuer, run).await;
        let TestRuntime {
            database: new_database,
            runtime,
        } = prepared.unwrap();
        let keys = KeySource::Fixed(service.issuer().key_set());
        let config = config(database.unwrap_or(new_database), keys, &neighbours);
        let db = OrderDb::open(&config.database).await;
        let client = service.anonymous().clone();
        let listener = runtime.listener;
        let mut shop = Self {
            service,
            neighbours,
            db,
            config,
            clock,
            listener,
            run: None,
            client,
        };
        shop.start();
        shop
    }

    /// Starts another replica on the same database.
    pub async fn replica(&self) -> Self {
        self.replica_with(self.clock.clone()).await
    }

    /// Starts another replica whose clock is behind by this time.
    pub async fn replica_behind(&self, seconds: i64) -> Self {
        let clock = Clock::fixed();
        clock.advance(self.clock.now() - clock.now() - TimeDelta::seconds(seconds));
        self.replica_with(clock).await
    }

    async fn replica_with(&self, clock: Clock) -> Self {
        let (issuer, database) = (self.issuer().clone(), self.config.database.clone());
        Self::open(issuer, clock, self.neighbours.clone(), Some(database)).await
    }

    /// Starts the service.
    pub fn start(&mut self) {
        let (kill, killed) = oneshot::channel::<()>();
        let (stop, stopped) = oneshot::channel::<()>();
        let (end, ended) = oneshot::channel();
        let runtime = Runtime {
            listener: self.listener.try_clone().unwrap(),
            shutdown: Shutdown::when(async { drop(stopped.await) }),
            clock: self.clock.clone(),
            revocations: self.issuer().revocations().clone(),
        };
        let config = self.config.clone();
        std::thread::spawn(move || {
            let system = System::new();
            let context = system.block_on(async {
                tokio::select! {
                    outcome = startup::run(config, runtime) => outcome.unwrap(),
                    Ok(()) = killed => {}
                }
                tokio::runtime::Handle::current()
            });
            System::current().stop();
            // Connections that are dropped with the runtime need its context.
            let _context = context.enter();
            drop(system.run());
            drop(end);
        });
        self.run = Some(Run { kill, stop, ended });
        self.client = Client::new(format!("http://{}", self.address()));
    }

    /// Aborts everything that the service is doing, as if its process were killed.
    pub async fn crash(&mut self) {
        let Run {
            kill,
            stop: _stop,
            ended,
        } = self.run.take().unwrap();
        kill.send(()).unwrap();
        ended.await.unwrap_err();
    }

    /// Shuts the service down gracefully.
    pub async fn stop(&mut self) {
        let Run {
            kill: _kill,
            stop,
            ended,
        } = self.run.take().unwrap();
        stop.send(()).unwrap();
        ended.await.unwrap_err();
    }

    pub fn user(&self, name: &str) -> Client {
        self.client_with(name, &["user"])
    }

    pub fn support(&self) -> Client {
        self.client_with("support", &["user", "support"])
    }

    pub fn admin(&self) -> Client {
        self.client_with("admin", &["user", "admin"])
    }

    fn client_with(&self, name: &str, roles: &[&str]) -> Client {
        self.client.with_token(&self.user_token(name, roles).token())
    }

    /// Advances the service's clock.
    pub fn advance(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }

    /// Adds a product with this price and stock.
    pub fn product(&self, price_cents: i64, on_hand: i64) -> Uuid {
        self.neighbours.product(price_cents, on_hand)
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

    /// The order in its current state.
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

    /// Waits until the worker has finished every task. Advances the clock, so that leases and retry delays expire and circuits
    /// close.
    pub async fn settle(&self) {
        eventually("no task is left", async || {
            self.advance(1);
            self.db.tasks().await == 0
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

fn config(database: DatabaseUrl, keys: KeySource, neighbours: &Neighbours) -> Config {
    let urls = [&neighbours.products, &neighbours.inventory, &neighbours.tokens].map(FaultProxy::url);
    let names = ["PRODUCT_SERVICE_URL", "INVENTORY_SERVICE_URL", "USER_SERVICE_URL"];
    let urls = names.into_iter().zip(urls.iter().map(String::as_str));
    let mut env = Env::from_vars(NAME, urls.chain([("ORDER_SERVICE_SECRET", "not-a-secret")]));
    let settings = Settings::read(&mut env, NAME);
    let mut config = Config::read(&mut env, settings);
    config.database = database;
    config.auth.keys = keys;
    config.auth.feed = None;
    env.finish(config).unwrap()
}

pub fn basket(items: &[(Uuid, i64)]) -> Value {
    let line = |(product, quantity): &(Uuid, i64)| json!({"product_id": product, "quantity": quantity});
    json!({"items": items.iter().map(line).collect::<Vec<_>>()})
}

/// Sends a POST while the test goes on.
pub fn post_in_background(client: &Client, path: &str, body: Value) -> JoinHandle<TestResponse> {
    let (client, path) = (client.clone(), path.to_owned());
    rt::spawn(async move { client.post(&path, body).await })
}

/// The id of the order in a response.
pub fn id_of(answer: &TestResponse) -> String {
    let location = answer.header("location");
    location
        .strip_prefix("/orders/")
        .unwrap_or_else(|| panic!("no order: {answer:?}"))
        .to_owned()
}

/// Waits up to 30 seconds until a condition holds.
pub async fn eventually(condition: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < deadline, "timed out: {condition}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
