//! The errors of this service's routes, except the OAuth endpoints.

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderValue;
use chrono::{DateTime, Utc};
use service_kit::{CommonError, Problem, problem};

use crate::openid::ProviderError;
use crate::random::NoRandomness;
use crate::tokens::{KeyError, SealError};

/// An error of a route. `Display` is for the client, `Debug` for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UserError {
    #[error("This email address is already registered.")]
    EmailTaken,
    #[error("There is no such provider.")]
    ProviderNotFound,
    #[error("The browser can't be sent to this page.")]
    InvalidReturnTo,
    #[error("This browser began no such login, or finished it already. Begin again.")]
    ProviderLoginExpired,
    #[error("The provider did not log the user in.")]
    ProviderRefused,
    #[error("The provider can't be reached. Try again later.")]
    ProviderUnavailable(#[source] ProviderError),
    #[error("The provider's answer is not valid.")]
    ProviderBroken(#[source] ProviderError),
    #[error("The provider does not share an email address, which an account needs.")]
    EmailMissing,
    #[error("This account is disabled.")]
    AccountDisabled,
    #[error("There is no such identity.")]
    IdentityNotFound,
    #[error("Another user has linked this account of the provider.")]
    IdentityTaken,
    #[error("This is the only way to log in to the account. Set a password first.")]
    LastLoginMethod,
    #[error("Verify your email address first.")]
    EmailNotVerified,
    #[error("The email address or the password is wrong.")]
    InvalidCredentials,
    #[error("This refresh token is not valid. Log in again.")]
    InvalidRefreshToken,
    #[error("Send one refresh token.")]
    AmbiguousRefreshToken,
    #[error("This link is not valid: it is unknown, was used already, or has expired. Request another one.")]
    InvalidLink,
    #[error("There is no such user.")]
    UserNotFound,
    #[error("There is no such session.")]
    SessionNotFound,
    #[error("Only an admin may do this.")]
    NotAdmin,
    #[error("The last admin can't be deleted or disabled, and can't lose the role.")]
    LastAdmin,
    #[error("No keys are published: tokens are signed with a shared secret.")]
    NoPublishedKeys,
    #[error("Too many keys are retiring. Try again when the first of them is no longer published.")]
    TooManyKeys { retry_after: u32 },
    #[error("Too many failed attempts. Try again later.")]
    Throttled { retry_after: u32 },
    #[error("The service is busy. Try again soon.")]
    Busy,
    #[error(transparent)]
    Common(#[from] CommonError),
    #[error("An internal error occurred.")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<jsonwebtoken::errors::Error> for UserError {
    fn from(error: jsonwebtoken::errors::Error) -> Self {
        Self::Internal(error.into())
    }
}

impl From<KeyError> for UserError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Database(error) => error.into(),
            error => Self::Internal(error.into()),
        }
    }
}

impl From<ProviderError> for UserError {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::Unavailable(_) => Self::ProviderUnavailable(error),
            ProviderError::Broken(_) => Self::ProviderBroken(error),
            ProviderError::InvalidCode | ProviderError::OtherIssuer => Self::ProviderRefused,
        }
    }
}

impl From<SealError> for UserError {
    fn from(error: SealError) -> Self {
        Self::Internal(error.into())
    }
}

impl UserError {
    /// An error that has nothing to do with the client.
    pub(crate) fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(error.into())
    }

    /// Too many keys are retiring until this time.
    pub(crate) fn too_many_keys(until: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        // Rounded up, so that a client that waits for this duration succeeds.
        let seconds = (until - now).num_seconds().saturating_add(1);
        Self::TooManyKeys {
            retry_after: u32::try_from(seconds).unwrap_or(u32::MAX),
        }
    }
}

impl From<NoRandomness> for UserError {
    fn from(error: NoRandomness) -> Self {
        Self::Internal(error.into())
    }
}

impl Problem for UserError {
    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::EmailTaken => (StatusCode::CONFLICT, "email_taken"),
            Self::ProviderNotFound => (StatusCode::NOT_FOUND, "provider_not_found"),
            Self::InvalidReturnTo => (StatusCode::BAD_REQUEST, "invalid_return_to"),
            Self::ProviderLoginExpired => (StatusCode::BAD_REQUEST, "provider_login_expired"),
            Self::ProviderRefused => (StatusCode::BAD_REQUEST, "provider_refused"),
            Self::ProviderUnavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "provider_unavailable"),
            Self::ProviderBroken(_) => (StatusCode::BAD_GATEWAY, "provider_error"),
            Self::EmailMissing => (StatusCode::BAD_REQUEST, "email_missing"),
            Self::AccountDisabled => (StatusCode::FORBIDDEN, "account_disabled"),
            Self::IdentityNotFound => (StatusCode::NOT_FOUND, "identity_not_found"),
            Self::IdentityTaken => (StatusCode::CONFLICT, "identity_taken"),
            Self::LastLoginMethod => (StatusCode::CONFLICT, "last_login_method"),
            Self::EmailNotVerified => (StatusCode::CONFLICT, "email_not_verified"),
            Self::InvalidCredentials => (StatusCode::UNAUTHORIZED, "invalid_credentials"),
            Self::InvalidRefreshToken => (StatusCode::UNAUTHORIZED, "invalid_refresh_token"),
            Self::AmbiguousRefreshToken => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::InvalidLink => (StatusCode::BAD_REQUEST, "invalid_link"),
            Self::UserNotFound => (StatusCode::NOT_FOUND, "user_not_found"),
            Self::SessionNotFound => (StatusCode::NOT_FOUND, "session_not_found"),
            Self::NotAdmin => (StatusCode::FORBIDDEN, "forbidden"),
            Self::LastAdmin => (StatusCode::CONFLICT, "last_admin"),
            Self::NoPublishedKeys => (StatusCode::CONFLICT, "shared_secret"),
            Self::TooManyKeys { .. } => (StatusCode::CONFLICT, "too_many_keys"),
            Self::Throttled { .. } => (StatusCode::TOO_MANY_REQUESTS, "too_many_attempts"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "hashing_busy"),
            Self::Common(error) => error.parts(),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }

    /// A 401 must have a challenge (RFC 9110 §11.6.1). With `Bearer`, a client would try an access token; with `Basic`, a browser
    /// would ask for a password in a dialog. So each scheme here is named after the credential that the body must contain. Clients
    /// ignore schemes that they don't know.
    fn challenge(&self) -> Option<HeaderValue> {
        let challenge = match self {
            Self::InvalidCredentials => r#"Password realm="countersign""#,
            Self::InvalidRefreshToken => r#"RefreshToken realm="countersign""#,
            _ => return None,
        };
        Some(HeaderValue::from_static(challenge))
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Throttled { retry_after } | Self::TooManyKeys { retry_after } => Some(*retry_after),
            // The default for 503 is right for `Busy`: a slot is free again after a fraction of a second.
            _ => None,
        }
    }
}
problem!(UserError, Common);
