//! The state of a client of one neighbour: its address, connections, token, circuit and retry budget.

use std::time::Duration;

use reqwest::header::HeaderValue;

use super::circuit::Circuit;
use super::retry_budget::RetryBudget;
use super::service_token::ServiceTokens;

/// The settings and data that all clones of a [`ServiceClient`](super::ServiceClient) share.
#[derive(Debug)]
pub(super) struct ClientState {
    /// The neighbour's name, and the audience of tokens for it.
    pub audience: String,
    /// The neighbour's origin, without a slash at the end.
    pub origin: String,
    /// The calling service's name.
    pub caller: HeaderValue,
    pub http: reqwest::Client,
    pub tokens: ServiceTokens,
    pub circuit: Circuit,
    pub retry_budget: RetryBudget,
    /// The timeout of one attempt.
    pub attempt_timeout: Duration,
    /// The timeout of a call with all of its attempts.
    pub timeout: Duration,
}
