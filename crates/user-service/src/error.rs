//! What can go wrong, and how it is answered.

use actix_web::http::StatusCode;
use auth::FieldError;
use service_kit::{Problem, RequestError, problem};

use crate::hashing::HashingError;
use crate::keys::SealError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum UserError {
    #[error("This email address is taken.")]
    EmailTaken,
    #[error("Email address or password is wrong.")]
    InvalidCredentials,
    #[error("This refresh token is not good any more: log in again.")]
    InvalidRefreshToken,
    #[error("There is no such user.")]
    NotFound,
    #[error("There is no such session.")]
    SessionNotFound,
    #[error("Only an admin may do this.")]
    NotAdmin,
    #[error("Somebody has to remain an admin.")]
    LastAdmin,
    #[error("There are no published keys: one shared secret signs and verifies.")]
    SharedSecret,
    #[error("That was tried too often. Try again later.")]
    Throttled { retry_after: u32 },
    #[error("Too many people are logging in. Try again in a moment.")]
    Busy,
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("The database can't be asked.")]
    Database(#[from] sqlx::Error),
    #[error("A password can't be hashed.")]
    Hashing(#[source] HashingError),
    #[error("A token can't be signed.")]
    Signing(#[from] jsonwebtoken::errors::Error),
    #[error("There is no randomness.")]
    NoRandomness(#[from] aws_lc_rs::error::Unspecified),
}

impl From<HashingError> for UserError {
    fn from(error: HashingError) -> Self {
        match error {
            HashingError::Busy => Self::Busy,
            HashingError::Unusable(_) | HashingError::NoRandomness => Self::Hashing(error),
        }
    }
}

impl Problem for UserError {
    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::EmailTaken => (StatusCode::CONFLICT, "email_taken"),
            Self::InvalidCredentials => (StatusCode::UNAUTHORIZED, "invalid_credentials"),
            Self::InvalidRefreshToken => (StatusCode::UNAUTHORIZED, "invalid_refresh_token"),
            Self::NotFound => (StatusCode::NOT_FOUND, "user_not_found"),
            Self::SessionNotFound => (StatusCode::NOT_FOUND, "session_not_found"),
            Self::NotAdmin => (StatusCode::FORBIDDEN, "forbidden"),
            Self::LastAdmin => (StatusCode::CONFLICT, "last_admin"),
            Self::SharedSecret => (StatusCode::CONFLICT, "shared_secret"),
            Self::Throttled { .. } => (StatusCode::TOO_MANY_REQUESTS, "too_many_attempts"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "hashing_busy"),
            Self::Request(error) => error.parts(),
            Self::Database(error) if db::is_unavailable(error) => {
                (StatusCode::SERVICE_UNAVAILABLE, "database_unavailable")
            }
            Self::Database(_) | Self::Hashing(_) | Self::Signing(_) | Self::NoRandomness(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal")
            }
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Request(error) => error.fields(),
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Throttled { retry_after } => Some(*retry_after),
            _ => (self.parts().0 == StatusCode::SERVICE_UNAVAILABLE).then_some(1),
        }
    }
}
problem!(UserError);

/// Why the service can't start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("the database can't be asked")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("the published keys are not fit: {0}")]
    Published(#[from] auth::JwksError),
    #[error("a password can't be hashed: {0}")]
    Hashing(#[from] HashingError),
    #[error("there is no active signing key")]
    NoActiveKey,
    #[error("there is no randomness")]
    NoRandomness,
}
