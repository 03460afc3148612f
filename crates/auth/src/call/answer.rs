//! What comes of a call.

use std::time::Duration;

use serde::de::DeserializeOwned;

use super::token::TokenError;

/// What a neighbour answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceResponse {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl ServiceResponse {
    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body, as JSON of this form.
    ///
    /// # Errors
    /// [`CallError::Garbled`] where it is not.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        serde_json::from_slice(&self.body).map_err(CallError::Garbled)
    }

    /// Whether it says that the token is not good.
    pub(super) fn refuses_token(&self) -> bool {
        self.status == 401
    }

    /// Whether it says that the neighbour, or what is before it, can't answer now (RFC 9110 §15.6.3–5).
    pub(super) fn is_for_later(&self) -> bool {
        matches!(self.status, 502..=504)
    }
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The neighbour failed too often, and is left alone for this long.
    #[error("left alone for another {0:?}")]
    CircuitOpen(Duration),
    /// There is no token to call with.
    #[error(transparent)]
    NoToken(#[from] TokenError),
    /// It could not be reached, or broke off.
    #[error("no answer")]
    NoAnswer(#[source] reqwest::Error),
    /// There was no answer, or no token, within the client's timeouts.
    #[error("no answer in time")]
    Timeout,
    /// The answer is longer than 4 MiB.
    #[error("an answer that is too long")]
    TooLong,
    /// The answer, or what was to be sent, is not what it should be.
    #[error("not the JSON that was expected")]
    Garbled(#[source] serde_json::Error),
}
