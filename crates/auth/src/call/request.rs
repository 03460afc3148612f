//! One call: its token, its attempts, and what it brings.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use tokio::time::{Instant, timeout};

use super::answer::{CallError, ServiceResponse};
use super::client::Shared;
use super::context::TraceContext;
use super::retry::{ATTEMPTS, pause};
use super::token::Held;
use crate::bounded;

const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// With less than this part of an attempt's time left, none is made: that it fails would say nothing about the neighbour.
const SHORTEST: u32 = 10;

const X_SERVICE_NAME: HeaderName = HeaderName::from_static("x-service-name");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A call in the making.
#[must_use = "it is made by `send`"]
#[derive(Debug)]
pub struct ServiceRequest {
    shared: Arc<Shared>,
    method: Method,
    url: String,
    body: Result<Option<Vec<u8>>, serde_json::Error>,
    is_idempotent: bool,
    with_token: bool,
}

impl ServiceRequest {
    pub(super) fn new(shared: Arc<Shared>, method: Method, url: String) -> Self {
        let is_idempotent = method.is_idempotent();
        Self {
            shared,
            method,
            url,
            body: Ok(None),
            is_idempotent,
            with_token: true,
        }
    }

    /// Sends this as JSON.
    pub fn json(mut self, body: &impl Serialize) -> Self {
        self.body = serde_json::to_vec(body).map(Some);
        self
    }

    /// Says that it may be made again whatever became of it the first time.
    pub fn idempotent(mut self) -> Self {
        self.is_idempotent = true;
        self
    }

    /// Calls as a stranger does: what is public needs no token, nor anyone to give one.
    pub fn without_token(mut self) -> Self {
        self.with_token = false;
        self
    }

    /// Makes the call. Any status is an answer; what is done about a refusal is the caller's to decide.
    ///
    /// # Errors
    /// When no answer came that could be used.
    pub async fn send(self) -> Result<ServiceResponse, CallError> {
        let body = self.body.map_err(CallError::Garbled)?;
        let call = Call {
            begun: Instant::now(),
            shared: &self.shared,
            method: self.method,
            url: self.url,
            body,
            is_idempotent: self.is_idempotent,
            with_token: self.with_token,
        };
        call.send().await
    }
}

struct Call<'c> {
    begun: Instant,
    shared: &'c Shared,
    method: Method,
    url: String,
    body: Option<Vec<u8>>,
    is_idempotent: bool,
    with_token: bool,
}

impl Call<'_> {
    async fn send(&self) -> Result<ServiceResponse, CallError> {
        let mut token = self.token().await?;
        let (mut attempts, mut is_fresh) = (1, false);
        loop {
            let outcome = self.attempt(token.as_ref()).await;
            if !is_fresh && outcome.as_ref().is_ok_and(ServiceResponse::refuses_token) {
                // The neighbour looks at the token before all else, so nothing was done.
                let Some(fresh) = self.fresh_token(token).await else {
                    return outcome;
                };
                (token, is_fresh) = (Some(fresh), true);
                continue;
            }
            if attempts == ATTEMPTS || !self.may_repeat(&outcome) || !self.pause(attempts).await {
                return outcome;
            }
            attempts += 1;
        }
    }

    fn may_repeat(&self, outcome: &Result<ServiceResponse, CallError>) -> bool {
        match outcome {
            Ok(answer) => self.is_idempotent && answer.is_for_later(),
            Err(CallError::NoAnswer(error)) => self.is_idempotent || error.is_connect(),
            Err(CallError::Timeout) => self.is_idempotent,
            Err(_) => false,
        }
    }

    /// Waits before the next attempt, where there are the time and the budget for one.
    async fn pause(&self, attempts: u32) -> bool {
        let pause = pause(attempts);
        let again = pause < self.left() && self.shared.budget.spend();
        if again {
            tokio::time::sleep(pause).await;
        }
        again
    }

    fn left(&self) -> Duration {
        self.shared.timeout.saturating_sub(self.begun.elapsed())
    }

    async fn token(&self) -> Result<Option<Held>, CallError> {
        if !self.with_token {
            return Ok(None);
        }
        let token = timeout(self.left(), self.shared.tokens.current()).await;
        Ok(Some(token.map_err(|_| CallError::Timeout)??))
    }

    async fn fresh_token(&self, refused: Option<Held>) -> Option<Held> {
        let refused = refused?;
        tracing::warn!(
            audience = self.shared.audience,
            "a service token was not accepted"
        );
        timeout(self.left(), self.shared.tokens.replace(&refused))
            .await
            .ok()?
            .ok()
    }

    async fn attempt(&self, token: Option<&Held>) -> Result<ServiceResponse, CallError> {
        let shared = self.shared;
        let usual = shared.attempt_timeout.min(shared.timeout);
        let within = usual.min(self.left());
        if within < usual / SHORTEST {
            return Err(CallError::Timeout);
        }
        shared
            .circuit
            .admit(Instant::now())
            .map_err(CallError::CircuitOpen)?;
        let outcome = timeout(within, self.exchange(token))
            .await
            .unwrap_or(Err(CallError::Timeout));
        // An answer that is too long is one: who can make a neighbour say much must not be able to silence it for all.
        let has_answered = match &outcome {
            Ok(answer) => answer.status < 500,
            Err(error) => matches!(error, CallError::TooLong),
        };
        if has_answered {
            shared.budget.earn();
            if shared.circuit.succeeded() {
                tracing::info!(audience = shared.audience, "answers again");
            }
        } else if shared.circuit.failed(Instant::now()) {
            tracing::error!(
                audience = shared.audience,
                "failed too often and is left alone for a while"
            );
        }
        outcome
    }

    async fn exchange(&self, token: Option<&Held>) -> Result<ServiceResponse, CallError> {
        let shared = self.shared;
        let mut request = shared
            .http
            .request(self.method.clone(), &self.url)
            .headers(self.headers(token));
        if let Some(body) = &self.body {
            request = request.body(body.clone());
        }
        let response = request.send().await.map_err(CallError::NoAnswer)?;
        let status = response.status().as_u16();
        let body = bounded::body(response, MAX_ANSWER_BYTES)
            .await
            .map_err(CallError::NoAnswer)?;
        Ok(ServiceResponse {
            status,
            body: body.ok_or(CallError::TooLong)?,
        })
    }

    fn headers(&self, token: Option<&Held>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(X_SERVICE_NAME, self.shared.name.clone());
        if self.body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(token) = token {
            headers.insert(AUTHORIZATION, token.authorization.clone());
        }
        if let Some(context) = TraceContext::current() {
            headers.extend(context.request_id.map(|id| (X_REQUEST_ID, id)));
            headers.extend(context.trace_parent.map(|parent| (TRACEPARENT, parent)));
        }
        headers
    }
}
