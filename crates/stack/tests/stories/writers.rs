//! Clients that write until a service dies, and record what it acknowledged.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use crate::DEADLINE;
use crate::platform::{PASSWORD, Platform};
use crate::shop::lamp;

/// Records what a service acknowledges, and kills it after the last expected acknowledgement.
pub struct Acknowledged<T, K> {
    last: usize,
    kill: K,
    killed: Cell<Option<u32>>,
    all: RefCell<Vec<T>>,
}

impl<T, K: Fn() -> u32> Acknowledged<T, K> {
    pub fn until(last: usize, kill: K) -> Self {
        Self {
            last,
            kill,
            killed: Cell::new(None),
            all: RefCell::default(),
        }
    }

    fn add(&self, acknowledged: T) {
        let mut all = self.all.borrow_mut();
        all.push(acknowledged);
        if all.len() == self.last {
            self.killed.set(Some((self.kill)()));
        }
    }

    /// Returns the records and the id of the killed process.
    pub fn end(self) -> (Vec<T>, u32) {
        (self.all.into_inner(), self.killed.get().unwrap_or_default())
    }
}

/// The result of a request to a service that may die.
enum Outcome {
    Done(Response),
    /// 503: not acknowledged, may succeed later. A machine that stalls for longer than the statement timeout causes it.
    Unavailable,
    Gone,
}

/// Sends requests to a service until it dies. Tolerates 503s on a busy machine, but not for longer than [`DEADLINE`].
struct RetryingClient {
    status: u16,
    refused_since: Cell<Option<Instant>>,
}

impl RetryingClient {
    fn expecting(status: u16) -> Self {
        Self {
            status,
            refused_since: Cell::new(None),
        }
    }

    async fn send(&self, request: RequestBuilder) -> Outcome {
        let Ok(response) = request.send().await else {
            return Outcome::Gone;
        };
        if response.status() == self.status {
            self.refused_since.set(None);
            return Outcome::Done(response);
        }
        let since = self.refused_since.get().unwrap_or_else(Instant::now);
        self.refused_since.set(Some(since));
        let (status, body) = (response.status(), response.text().await);
        println!("{status}: {body:?}");
        assert!(status == 503 && since.elapsed() < DEADLINE, "{status}: {body:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        Outcome::Unavailable
    }
}

/// Creates products until the service is gone.
pub async fn create_products(
    platform: &Platform,
    seller: &Value,
    acknowledged: &Acknowledged<String, impl Fn() -> u32>,
) {
    let http = reqwest::Client::builder().build().unwrap();
    let url = format!("{}/products", platform.url("product-service"));
    let service = RetryingClient::expecting(201);
    loop {
        let request = http
            .post(&url)
            .bearer_auth(seller["access_token"].as_str().unwrap())
            .json(&lamp());
        match service.send(request).await {
            Outcome::Done(response) => {
                acknowledged.add(response.headers()["location"].to_str().unwrap().to_owned());
            }
            Outcome::Unavailable => (),
            Outcome::Gone => return,
        }
    }
}

/// Registers users, logs them in and refreshes their sessions until the service is gone. Returns the last token pair of each
/// session.
pub async fn register_and_refresh(
    platform: &Platform,
    acknowledged: &Acknowledged<String, impl Fn() -> u32>,
    client: usize,
    round: usize,
) -> Vec<Value> {
    let http = reqwest::Client::builder().build().unwrap();
    let (registrar, sessions) = (RetryingClient::expecting(201), RetryingClient::expecting(200));
    let post = |path: &str, body: Value| http.post(platform.url("user-service") + path).json(&body);
    let mut pairs = Vec::new();
    for person in 0.. {
        let email = format!("ada{round}.{client}.{person}@example.com");
        let registration = json!({"email": email, "password": PASSWORD, "name": "Ada"});
        match registrar.send(post("/auth/register", registration)).await {
            Outcome::Done(_) => acknowledged.add(email.clone()),
            Outcome::Unavailable => continue,
            Outcome::Gone => break,
        }
        let credentials = json!({"email": email, "password": PASSWORD});
        let response = match sessions.send(post("/auth/login", credentials)).await {
            Outcome::Done(response) => response,
            Outcome::Unavailable => continue,
            Outcome::Gone => break,
        };
        let Ok(pair) = response.json().await else { break };
        pairs.push(pair);
        for _ in 0..3 {
            let last: &mut Value = pairs.last_mut().unwrap();
            let body = json!({"refresh_token": last["refresh_token"]});
            match sessions.send(post("/auth/refresh", body)).await {
                Outcome::Done(response) => match response.json().await {
                    Ok(next) => *last = next,
                    Err(_) => return pairs,
                },
                Outcome::Unavailable => (),
                Outcome::Gone => return pairs,
            }
        }
    }
    pairs
}

pub async fn assert_products_exist(platform: &Platform, products: &[String]) {
    let client = platform.anonymous_at("product-service");
    for product in products {
        client.get(product).await.assert(200, lamp());
    }
}

pub async fn assert_users_can_log_in(
    platform: &Platform,
    emails: &[String],
    pairs: impl Iterator<Item = &Value>,
) {
    for email in emails {
        platform.login(email, PASSWORD).await.assert_status(200);
    }
    for pair in pairs {
        platform.refresh(pair).await.assert_status(200);
    }
}
