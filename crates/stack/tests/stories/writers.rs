//! Who writes until the service dies, and remembers what it acknowledged.

use std::cell::{Cell, RefCell};

use serde_json::{Value, json};

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
        Self { last, kill, killed: Cell::new(None), all: RefCell::default() }
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

/// Puts products up until the service is gone.
pub async fn put_up(
    platform: &Platform,
    seller: &Value,
    acknowledged: &Acknowledged<String, impl Fn() -> u32>,
) {
    let http = reqwest::Client::builder().build().unwrap();
    let url = format!("{}/products", platform.url("product-service"));
    loop {
        let request = http.post(&url).bearer_auth(seller["access_token"].as_str().unwrap()).json(&lamp());
        let Ok(answer) = request.send().await else { return };
        assert_eq!(answer.status(), 201);
        acknowledged.add(answer.headers()["location"].to_str().unwrap().to_owned());
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
    let post = async |path: &str, body: Value, status: u16| -> Option<Value> {
        let answer =
            http.post(format!("{}{path}", platform.url("user-service"))).json(&body).send().await.ok()?;
        assert_eq!(answer.status(), status, "{path}");
        answer.json().await.ok()
    };
    let mut pairs = Vec::new();
    for person in 0.. {
        let email = format!("ada{round}.{line}.{person}@example.com");
        let registration = json!({"email": email, "password": PASSWORD, "name": "Ada"});
        let Some(_) = post("/auth/register", registration, 201).await else { break };
        acknowledged.add(email.clone());
        let credentials = json!({"email": email, "password": PASSWORD});
        let Some(pair) = post("/auth/login", credentials, 200).await else { break };
        pairs.push(pair);
        for _ in 0..3 {
            let shown = json!({"refresh_token": pairs.last().unwrap()["refresh_token"]});
            let Some(next) = post("/auth/refresh", shown, 200).await else { return pairs };
            *pairs.last_mut().unwrap() = next;
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
