//! The response to a refused request: in the verifier's realm, or made by the application.

use std::fmt;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{Error, HttpRequest, HttpResponse, ResponseError};

use crate::error::{AuthError, DEFAULT_REALM};

type Handler = dyn Fn(AuthError, &HttpRequest) -> Error + Send + Sync;

/// How a verifier's refusals are answered.
#[derive(Clone)]
pub(crate) struct Refusals {
    pub realm: Arc<str>,
    /// Makes the application's own response.
    pub handler: Option<Arc<Handler>>,
}

impl Refusals {
    pub fn error(&self, error: AuthError, request: &HttpRequest) -> Error {
        match &self.handler {
            Some(handler) => handler(error, request),
            None if *self.realm == *DEFAULT_REALM => error.into(),
            None => RefusedInRealm {
                error,
                realm: Arc::clone(&self.realm),
            }
            .into(),
        }
    }
}

impl Default for Refusals {
    fn default() -> Self {
        Self {
            realm: DEFAULT_REALM.into(),
            handler: None,
        }
    }
}

impl fmt::Debug for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusals")
            .field("realm", &self.realm)
            .field("has_handler", &self.handler.is_some())
            .finish()
    }
}

/// A refusal in a realm other than the default one.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
struct RefusedInRealm {
    error: AuthError,
    realm: Arc<str>,
}

impl ResponseError for RefusedInRealm {
    fn status_code(&self) -> StatusCode {
        self.error.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        self.error.response_in(&self.realm)
    }
}
