//! The outcome of a call.

use std::time::Duration;

use reqwest::StatusCode;
use serde::de::DeserializeOwned;

use super::token_endpoint::TokenError;

/// A neighbour's response, with any status. Not related to actix-web's `dev::ServiceResponse`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceResponse {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

impl ServiceResponse {
    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// Deserializes the body from JSON.
    ///
    /// # Errors
    /// [`CallError::InvalidJson`] if the body is not JSON of this type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        serde_json::from_slice(&self.body).map_err(CallError::InvalidJson)
    }

    /// Whether the neighbour refused the token.
    pub(super) fn is_unauthorized(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
    }

    /// Whether the neighbour, or a proxy in front of it, reports a failure that may be over soon (RFC 9110 §15.6.3–5).
    pub(super) fn is_temporary_failure(&self) -> bool {
        matches!(
            self.status,
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
        )
    }
}

/// Why a call has no usable response.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The circuit is open after too many consecutive failures. The value is the remaining time until a probe is allowed.
    #[error("the circuit is open for another {0:?}")]
    CircuitOpen(Duration),
    /// No service token could be fetched.
    #[error(transparent)]
    NoToken(#[from] TokenError),
    /// The neighbour could not be reached, or the connection broke.
    #[error("no response")]
    NoResponse(#[source] reqwest::Error),
    /// There was no response, or no token, within the client's timeouts.
    #[error("timed out")]
    Timeout,
    /// The response is longer than 4 MiB.
    #[error("the response is too long")]
    TooLong,
    /// The body to send can't be serialized, or the body of the response is not JSON of the expected type.
    #[error("invalid JSON")]
    InvalidJson(#[source] serde_json::Error),
}
