//! The state that all clones of a client share: the neighbour's address, connections, token, circuit and retry budget.

use std::time::Duration;

use reqwest::header::HeaderValue;

use super::circuit::Circuit;
use super::retry_budget::RetryBudget;
use super::service_token::ServiceTokens;

#[derive(Debug)]
pub(super) struct Neighbour {
    /// The neighbour's name, and the audience of tokens for it.
    pub audience: String,
    /// Its URL without a path and without a slash at the end.
    pub origin: String,
    /// The calling service's name.
    pub caller: HeaderValue,
    pub http: reqwest::Client,
    pub tokens: ServiceTokens,
    pub circuit: Circuit,
    pub retry_budget: RetryBudget,
    /// For one attempt.
    pub attempt_timeout: Duration,
    /// For a call with all of its attempts.
    pub timeout: Duration,
}
