//! A client, its neighbour, and where its tokens come from.

use std::time::{Duration, Instant};

use auth::{CallError, ServiceClient, ServiceClientBuilder, ServiceCredentials, ServiceResponse};
use secrecy::SecretString;
use serde_json::json;

use crate::fake::{Does, Fake, hangs, says};
use crate::heard::Heard;

pub(crate) const SECRET: &str = "not-a-secret: 100% + für";

/// Far more than anything here takes, even on a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);
/// What happens at once takes no longer, even on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(2);

pub(crate) struct House {
    pub(crate) tokens: Fake,
    pub(crate) neighbour: Fake,
    pub(crate) client: ServiceClient,
}

impl House {
    /// A house whose neighbour does this, with tokens as there should be.
    pub(crate) fn beside(neighbour: impl FnMut(&Heard) -> Does + Send + 'static) -> Self {
        Self::of(Fake::that(issues(900)), Fake::that(neighbour))
    }

    pub(crate) fn of(tokens: Fake, neighbour: Fake) -> Self {
        let client = client(&tokens, &neighbour, |builder| builder);
        Self {
            tokens,
            neighbour,
            client,
        }
    }

    /// With these timeouts, in milliseconds, for an attempt and in all.
    pub(crate) fn hasty(mut self, attempt: u64, in_all: u64) -> Self {
        let (attempt, in_all) = (Duration::from_millis(attempt), Duration::from_millis(in_all));
        let hasty = |builder: ServiceClientBuilder| builder.attempt_timeout(attempt).timeout(in_all);
        self.client = client(&self.tokens, &self.neighbour, hasty);
        self
    }

    pub(crate) async fn get(&self) -> Result<ServiceResponse, CallError> {
        self.client.get("/things").send().await
    }

    pub(crate) async fn post(&self) -> Result<ServiceResponse, CallError> {
        self.client
            .post("/things")
            .json(&json!({"name": "a"}))
            .send()
            .await
    }

    /// Calls until a call is answered.
    pub(crate) async fn until_answered(&self) {
        let deadline = Instant::now() + DEADLINE;
        while at_once(self.get()).await.is_err() {
            assert!(Instant::now() < deadline, "no answer in time");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Calls until a call bears this token.
    pub(crate) async fn until_token(&self, token: &str) {
        self.until_answered().await;
        let deadline = Instant::now() + DEADLINE;
        while self.newest_token() != token {
            assert!(Instant::now() < deadline, "{token} did not come in time");
            self.until_answered().await;
        }
    }

    /// The token that the newest call bore.
    pub(crate) fn newest_token(&self) -> String {
        let heard = self.neighbour.heard().pop().unwrap();
        heard
            .header("authorization")
            .unwrap()
            .strip_prefix("Bearer ")
            .unwrap()
            .to_owned()
    }

    /// The status of a call that ends at once.
    pub(crate) async fn status(&self) -> u16 {
        at_once(self.get()).await.unwrap().status()
    }
}

fn client(
    tokens: &Fake,
    neighbour: &Fake,
    change: impl FnOnce(ServiceClientBuilder) -> ServiceClientBuilder,
) -> ServiceClient {
    let credentials = ServiceCredentials::new(
        "order-service",
        SecretString::from(SECRET),
        tokens.url("/oauth/token"),
    );
    change(ServiceClient::builder(
        &credentials,
        "thing-service",
        &neighbour.url("/"),
    ))
    .build()
    .unwrap()
}

/// Gives out `token-1`, `token-2` and so on, which live for so many seconds.
pub(crate) fn issues(seconds: u32) -> impl FnMut(&Heard) -> Does + Send + 'static {
    move |heard| issue(heard, seconds)
}

pub(crate) fn issue(heard: &Heard, seconds: u32) -> Does {
    let token = format!("token-{}", heard.number);
    let answer = json!({"access_token": token, "token_type": "Bearer", "expires_in": seconds, "scope": ""});
    says(200, &answer.to_string())
}

/// Does these in turn, and the last of them ever after.
pub(crate) fn script<const N: usize>(all: [Does; N]) -> impl FnMut(&Heard) -> Does + Send + 'static {
    let (mut all, mut does) = (all.into_iter(), hangs());
    move |_| {
        if let Some(next) = all.next() {
            does = next;
        }
        does.clone()
    }
}

pub(crate) fn fine(_: &Heard) -> Does {
    says(200, "{}")
}

/// What comes of it, which may be a while.
pub(crate) async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, work).await.unwrap()
}

pub(crate) async fn at_once<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(AT_ONCE, work).await.unwrap()
}

pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "not {what} in time");
        // For other tasks and threads to get on; nothing depends on how long it is.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Lets time pass for the timers of the code under test, in no time.
pub(crate) async fn pass(seconds: f64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs_f64(seconds)).await;
    tokio::time::resume();
}
