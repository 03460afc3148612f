//! A fixture: a client, a fake neighbour and a fake token endpoint.

use std::time::{Duration, Instant};

use auth::{CallError, ServiceClient, ServiceClientBuilder, ServiceCredentials, ServiceResponse};
use secrecy::SecretString;
use serde_json::json;

use crate::fake_server::{Action, FakeServer, hang, respond};
use crate::received::ReceivedRequest;
use crate::time::{DEADLINE, at_once};

pub(crate) const SECRET: &str = "not-a-secret: 100% + für";

pub(crate) struct Fixture {
    pub(crate) tokens: FakeServer,
    pub(crate) neighbour: FakeServer,
    pub(crate) client: ServiceClient,
}

impl Fixture {
    /// A fixture with this neighbour and a token endpoint that works.
    pub(crate) fn with_neighbour(neighbour: impl FnMut(&ReceivedRequest) -> Action + Send + 'static) -> Self {
        Self::new(FakeServer::start(issue_tokens(900)), FakeServer::start(neighbour))
    }

    pub(crate) fn new(tokens: FakeServer, neighbour: FakeServer) -> Self {
        let client = client(&tokens, &neighbour, |builder| builder);
        Self {
            tokens,
            neighbour,
            client,
        }
    }

    /// Sets the timeouts of an attempt and of a whole call, in milliseconds.
    pub(crate) fn timeouts(mut self, attempt: u64, call: u64) -> Self {
        let (attempt, call) = (Duration::from_millis(attempt), Duration::from_millis(call));
        let set = |builder: ServiceClientBuilder| builder.attempt_timeout(attempt).timeout(call);
        self.client = client(&self.tokens, &self.neighbour, set);
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

    /// Repeats a call until it succeeds.
    pub(crate) async fn until_successful(&self) {
        let deadline = Instant::now() + DEADLINE;
        while at_once(self.get()).await.is_err() {
            assert!(Instant::now() < deadline, "no call succeeded in time");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Repeats a call until it carries this token.
    pub(crate) async fn until_token(&self, token: &str) {
        self.until_successful().await;
        let deadline = Instant::now() + DEADLINE;
        while self.newest_token() != token {
            assert!(Instant::now() < deadline, "{token} was not used in time");
            self.until_successful().await;
        }
    }

    /// The token of the newest call.
    pub(crate) fn newest_token(&self) -> String {
        let request = self.neighbour.received().pop().unwrap();
        request
            .header("authorization")
            .unwrap()
            .strip_prefix("Bearer ")
            .unwrap()
            .to_owned()
    }

    /// The status of a call that succeeds immediately.
    pub(crate) async fn status(&self) -> u16 {
        at_once(self.get()).await.unwrap().status()
    }
}

fn client(
    tokens: &FakeServer,
    neighbour: &FakeServer,
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

/// Issues `token-1`, `token-2` and so on, which live for `seconds`.
pub(crate) fn issue_tokens(seconds: u32) -> impl FnMut(&ReceivedRequest) -> Action + Send + 'static {
    move |request| issue_token(request, seconds)
}

pub(crate) fn issue_token(request: &ReceivedRequest, seconds: u32) -> Action {
    let token = format!("token-{}", request.number);
    let body = json!({"access_token": token, "token_type": "Bearer", "expires_in": seconds, "scope": ""});
    respond(200, &body.to_string())
}

/// Takes these actions in turn, and then repeats the last one.
pub(crate) fn script<const N: usize>(
    all: [Action; N],
) -> impl FnMut(&ReceivedRequest) -> Action + Send + 'static {
    let (mut all, mut action) = (all.into_iter(), hang());
    move |_| {
        if let Some(next) = all.next() {
            action = next;
        }
        action.clone()
    }
}

pub(crate) fn ok(_: &ReceivedRequest) -> Action {
    respond(200, "{}")
}
