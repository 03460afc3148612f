//! Who writes until the service dies, and remembers what it acknowledged.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use crate::SOON;
use crate::platform::{PASSWORD, Platform};
use crate::shop::lamp;

/// What a service has acknowledged, until it is killed right after the last of it.
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

    /// All of it, and the process that was killed.
    pub fn end(self) -> (Vec<T>, u32) {
        (self.all.into_inner(), self.killed.get().unwrap_or_default())
    }
}

/// How a service that may die answered.
enum Outcome {
    Done(Response),
    /// 503: nothing is promised, and it may well succeed later. A machine that stands still for longer than the service's
    /// patience with its database is enough.
    Unavailable,
    Gone,
}

/// Who asks a service until it dies, and is told no more often than a busy machine explains that it can't be done now.
struct Patient {
    status: u16,
    refused_since: Cell<Option<Instant>>,
}

impl Patient {
    fn expecting(status: u16) -> Self {
        Self {
            status,
            refused_since: Cell::new(None),
        }
    }

    async fn send(&self, request: RequestBuilder) -> Outcome {
        let Ok(answer) = request.send().await else {
            return Outcome::Gone;
        };
        if answer.status() == self.status {
            self.refused_since.set(None);
            return Outcome::Done(answer);
        }
        let since = self.refused_since.get().unwrap_or_else(Instant::now);
        self.refused_since.set(Some(since));
        let (status, told) = (answer.status(), answer.text().await);
        println!("{status}: {told:?}");
        assert!(status == 503 && since.elapsed() < SOON, "{status}: {told:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        Outcome::Unavailable
    }
}

/// Puts products up until the service is gone.
pub async fn put_up(
    platform: &Platform,
    seller: &Value,
    acknowledged: &Acknowledged<String, impl Fn() -> u32>,
) {
    let http = reqwest::Client::builder().build().unwrap();
    let url = format!("{}/products", platform.url("product-service"));
    let service = Patient::expecting(201);
    loop {
        let request = http
            .post(&url)
            .bearer_auth(seller["access_token"].as_str().unwrap())
            .json(&lamp());
        match service.send(request).await {
            Outcome::Done(answer) => {
                acknowledged.add(answer.headers()["location"].to_str().unwrap().to_owned());
            }
            Outcome::Unavailable => (),
            Outcome::Gone => return,
        }
    }
}

/// Registers, logs in and carries the session on, again and again until the service is gone, and returns the
/// last pairs that were given out, one a session.
pub async fn come_and_stay(
    platform: &Platform,
    acknowledged: &Acknowledged<String, impl Fn() -> u32>,
    line: usize,
    round: usize,
) -> Vec<Value> {
    let http = reqwest::Client::builder().build().unwrap();
    let (registrar, sessions) = (Patient::expecting(201), Patient::expecting(200));
    let post = |path: &str, body: Value| http.post(platform.url("user-service") + path).json(&body);
    let mut pairs = Vec::new();
    for person in 0.. {
        let email = format!("ada{round}.{line}.{person}@example.com");
        let registration = json!({"email": email, "password": PASSWORD, "name": "Ada"});
        match registrar.send(post("/auth/register", registration)).await {
            Outcome::Done(_) => acknowledged.add(email.clone()),
            Outcome::Unavailable => continue,
            Outcome::Gone => break,
        }
        let credentials = json!({"email": email, "password": PASSWORD});
        let answer = match sessions.send(post("/auth/login", credentials)).await {
            Outcome::Done(answer) => answer,
            Outcome::Unavailable => continue,
            Outcome::Gone => break,
        };
        let Ok(pair) = answer.json().await else { break };
        pairs.push(pair);
        for _ in 0..3 {
            let last: &mut Value = pairs.last_mut().unwrap();
            let shown = json!({"refresh_token": last["refresh_token"]});
            match sessions.send(post("/auth/refresh", shown)).await {
                Outcome::Done(answer) => match answer.json().await {
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

pub async fn assert_all_are_there(platform: &Platform, products: &[String]) {
    let nobody = platform.nobody_at("product-service");
    for product in products {
        nobody.get(product).await.assert(200, lamp());
    }
}

pub async fn assert_all_are_known(
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
