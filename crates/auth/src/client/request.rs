//! One call: its token, its attempts and its response.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use tokio::time::{Instant, timeout};

use super::client_state::ClientState;
use super::response::{CallError, ServiceResponse};
use super::service_token::ServiceToken;
use super::trace::TraceContext;
use crate::backoff::Backoff;
use crate::outgoing;

const MAX_RESPONSE_BYTES: usize = 4 * 1024 * 1024;
/// The maximum number of attempts of a call, including the first. One more is made with a new token if the neighbour refuses the
/// token.
const MAX_ATTEMPTS: u32 = 3;
/// The delay before a retry.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
/// No attempt is made if the remaining time is less than a tenth of the usual timeout. The neighbour would have no chance to
/// respond, and the failure would still count towards opening the circuit.
const MIN_ATTEMPT_DIVISOR: u32 = 10;

pub(super) const X_SERVICE_NAME: HeaderName = HeaderName::from_static("x-service-name");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// An outgoing request to a neighbour. [`send`](Self::send) sends it. Not related to actix-web's `dev::ServiceRequest`, which is
/// an incoming request.
#[must_use = "a request does nothing until `send` is called"]
#[derive(Debug)]
pub struct ServiceRequest {
    state: Arc<ClientState>,
    method: Method,
    url: String,
    body: Result<Option<Vec<u8>>, serde_json::Error>,
    is_idempotent: bool,
    with_token: bool,
}

impl ServiceRequest {
    pub(super) fn new(state: Arc<ClientState>, method: Method, url: String) -> Self {
        let is_idempotent = method.is_idempotent();
        Self {
            state,
            method,
            url,
            body: Ok(None),
            is_idempotent,
            with_token: true,
        }
    }

    /// Sets a JSON body.
    pub fn json(mut self, body: &impl Serialize) -> Self {
        self.body = serde_json::to_vec(body).map(Some);
        self
    }

    /// Marks the request as idempotent, so that it may be retried even if the neighbour may have processed it.
    pub fn idempotent(mut self) -> Self {
        self.is_idempotent = true;
        self
    }

    /// Sends the request without a token. A call to a public route then works even if the token endpoint is down.
    pub fn without_token(mut self) -> Self {
        self.with_token = false;
        self
    }

    /// Sends the request. A response with any status is returned as `Ok`.
    ///
    /// # Errors
    /// If there is no complete response: see [`CallError`].
    pub async fn send(self) -> Result<ServiceResponse, CallError> {
        let body = self.body.map_err(CallError::InvalidJson)?;
        let call = Call {
            began: Instant::now(),
            state: &self.state,
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
    began: Instant,
    state: &'c ClientState,
    method: Method,
    url: String,
    body: Option<Vec<u8>>,
    is_idempotent: bool,
    with_token: bool,
}

impl Call<'_> {
    async fn send(&self) -> Result<ServiceResponse, CallError> {
        // Don't wait for a token while the circuit is open.
        if let Some(remaining) = self.circuit_open_for() {
            return Err(CallError::CircuitOpen(remaining));
        }
        let mut token = self.token().await?;
        let mut attempts = 1;
        let mut was_token_replaced = false;
        loop {
            let outcome = self.attempt(token.as_ref()).await;

            let is_unauthorized = outcome.as_ref().is_ok_and(ServiceResponse::is_unauthorized);
            if is_unauthorized && !was_token_replaced {
                // Safe for all methods: a neighbour checks the token first, so a refused request was not processed.
                let Some(replacement) = self.replace_token(token).await else {
                    return outcome;
                };
                token = Some(replacement);
                was_token_replaced = true;
                continue;
            }

            if attempts == MAX_ATTEMPTS || !self.is_retriable(&outcome) || !self.wait_to_retry(attempts).await
            {
                return outcome;
            }
            attempts += 1;
        }
    }

    fn is_retriable(&self, outcome: &Result<ServiceResponse, CallError>) -> bool {
        match outcome {
            Ok(response) => self.is_idempotent && response.is_temporary_failure(),
            // A request that could not connect was never sent.
            Err(CallError::NoResponse(error)) => self.is_idempotent || error.is_connect(),
            Err(CallError::Timeout) => self.is_idempotent,
            Err(_) => false,
        }
    }

    /// Waits before a retry, and returns whether to retry. The remaining time, the circuit or the retry budget may not allow it.
    async fn wait_to_retry(&self, attempts: u32) -> bool {
        let delay = BACKOFF.delay(attempts);
        let is_enough_time_left = delay + self.shortest_attempt() < self.remaining();
        if !is_enough_time_left || self.circuit_open_for().is_some() || !self.state.retry_budget.spend() {
            return false;
        }
        tokio::time::sleep(delay).await;
        // Failures of other calls may have opened the circuit.
        self.circuit_open_for().is_none()
    }

    fn remaining(&self) -> Duration {
        self.state.timeout.saturating_sub(self.began.elapsed())
    }

    fn circuit_open_for(&self) -> Option<Duration> {
        self.state.circuit.remaining_open_time(Instant::now())
    }

    /// How long an attempt may take, if enough time is left.
    fn usual_timeout(&self) -> Duration {
        self.state.attempt_timeout.min(self.state.timeout)
    }

    /// The least time that must be left for an attempt to be made.
    fn shortest_attempt(&self) -> Duration {
        self.usual_timeout() / MIN_ATTEMPT_DIVISOR
    }

    async fn token(&self) -> Result<Option<ServiceToken>, CallError> {
        if !self.with_token {
            return Ok(None);
        }
        let token = timeout(self.remaining(), self.state.tokens.current()).await;
        Ok(Some(token.map_err(|_| CallError::Timeout)??))
    }

    async fn replace_token(&self, refused: Option<ServiceToken>) -> Option<ServiceToken> {
        let refused = refused?;
        tracing::warn!(audience = self.state.audience, "a service token was refused");
        let replacement = self.state.tokens.replace(&refused);
        timeout(self.remaining(), replacement).await.ok()?.ok()
    }

    async fn attempt(&self, token: Option<&ServiceToken>) -> Result<ServiceResponse, CallError> {
        let attempt_timeout = self.usual_timeout().min(self.remaining());
        if attempt_timeout < self.shortest_attempt() {
            return Err(CallError::Timeout);
        }
        self.state
            .circuit
            .admit(Instant::now())
            .map_err(CallError::CircuitOpen)?;

        let outcome = timeout(attempt_timeout, self.exchange(token))
            .await
            .unwrap_or(Err(CallError::Timeout));
        self.record(&outcome);
        outcome
    }

    /// Updates circuit and retry budget.
    fn record(&self, outcome: &Result<ServiceResponse, CallError>) {
        let state = self.state;
        let is_success = match outcome {
            Ok(response) => !response.status.is_server_error(),
            // A response that is too long counts as a success: otherwise one caller who can cause long responses could open the
            // circuit for all callers.
            Err(error) => matches!(error, CallError::TooLong),
        };
        if is_success {
            state.retry_budget.earn();
            if state.circuit.record_success() {
                tracing::info!(
                    audience = state.audience,
                    "circuit closed: the neighbour responds again"
                );
            }
        } else if state.circuit.record_failure(Instant::now()) {
            tracing::error!(
                audience = state.audience,
                "circuit opened: too many consecutive failures"
            );
        }
    }

    async fn exchange(&self, token: Option<&ServiceToken>) -> Result<ServiceResponse, CallError> {
        let mut request = self
            .state
            .http
            .request(self.method.clone(), &self.url)
            .headers(self.headers(token));
        if let Some(body) = &self.body {
            request = request.body(body.clone());
        }

        let response = request.send().await.map_err(CallError::NoResponse)?;
        let status = response.status();
        let body = outgoing::read_body(response, MAX_RESPONSE_BYTES)
            .await
            .map_err(CallError::NoResponse)?
            .ok_or(CallError::TooLong)?;
        Ok(ServiceResponse { status, body })
    }

    fn headers(&self, token: Option<&ServiceToken>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(X_SERVICE_NAME, self.state.caller.clone());
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
