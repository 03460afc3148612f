//! Why a request was not let in, and the answer to it (RFC 6750 §3).

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};

use crate::problem::ProblemDetails;

/// Why a request was not let in. As a [`ResponseError`] it answers with the right status, the challenge that RFC 6750 §3
/// asks for, and a problem details object; what exactly was wrong with a token is told to the log alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// 401 `no_token`: no bearer token was presented.
    #[error("This needs an access token.")]
    NoToken,
    /// 401 `invalid_token`: a token that this verifier does not accept. The reason is for logs and tests.
    #[error("The access token is not valid.")]
    InvalidToken(TokenFault),
    /// 401 `token_expired`.
    #[error("The access token has expired.")]
    Expired,
    /// 401 `token_revoked`: its session ended, or its user's rights changed.
    #[error("The access token was taken back.")]
    Revoked,
    /// 403 `forbidden`: a known caller who may not do this.
    #[error("You may not do this.")]
    Forbidden {
        /// The scope that would have been enough, where it was a scope that was missing.
        scope: Option<&'static str>,
    },
    /// 400 `invalid_request`: more than one `Authorization` header.
    #[error("Send one Authorization header.")]
    AmbiguousCredentials,
    /// 503 `keys_unavailable`: no key set was ever loaded, so that no token can be judged.
    #[error("Tokens can't be checked yet.")]
    KeysUnavailable,
    /// 503 `revocation_unknown`: what was taken back is not fully known, so that no token can be trusted.
    #[error("It is not known whether the access token was taken back.")]
    RevocationUnknown,
    /// 500 `internal`: the application has no [`Verifier`](crate::Verifier) in its data. A programmer's mistake.
    #[error("Something went wrong.")]
    NoVerifier,
}

/// What was wrong with a token. Told to the log, never to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// Longer than [`MAX_TOKEN_BYTES`](crate::MAX_TOKEN_BYTES).
    #[error("too long")]
    TooLong,
    /// The scheme is `Bearer`, but what follows is not one token.
    #[error("malformed Authorization header")]
    Header,
    /// Not three parts, not canonical base64url, not JSON, a member twice or of the wrong type.
    #[error("malformed")]
    Malformed,
    /// `typ` is not `at+jwt` (RFC 9068 §4).
    #[error("wrong typ")]
    Type,
    /// `alg` is not the one that the key is for (RFC 8725 §3.1).
    #[error("wrong alg")]
    Algorithm,
    /// `crit` is present, and no extension is understood (RFC 7515 §4.1.11).
    #[error("crit present")]
    Critical,
    /// `kid` names no key of the set, or is missing.
    #[error("unknown key")]
    UnknownKey,
    /// The signature does not match.
    #[error("bad signature")]
    Signature,
    /// `iss` is somebody else.
    #[error("wrong issuer")]
    Issuer,
    /// `aud` does not name this verifier.
    #[error("wrong audience")]
    Audience,
    /// `nbf` lies ahead.
    #[error("not valid yet")]
    NotYet,
    /// A claim that a person's token must have is missing or malformed, or the token speaks for both a person and a
    /// service.
    #[error("claims of neither a person nor a service")]
    Claims,
}

impl AuthError {
    /// The stable code in the answer's body.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::InvalidToken(_) => "invalid_token",
            Self::Expired => "token_expired",
            Self::Revoked => "token_revoked",
            Self::Forbidden { .. } => "forbidden",
            Self::AmbiguousCredentials => "invalid_request",
            Self::KeysUnavailable => "keys_unavailable",
            Self::RevocationUnknown => "revocation_unknown",
            Self::NoVerifier => "internal",
        }
    }

    /// Whether the credential itself was missing or bad, as opposed to a caller who may not, or a verifier that can't.
    #[must_use]
    pub fn is_unauthenticated(&self) -> bool {
        self.status_code() == StatusCode::UNAUTHORIZED
    }

    /// The value of `WWW-Authenticate` (RFC 6750 §3): the bare challenge where no credential came, with its `error` where a
    /// bad or insufficient one did.
    #[must_use]
    pub fn challenge(&self) -> Option<HeaderValue> {
        let error = match self {
            Self::NoToken => return Some(HeaderValue::from_static(r#"Bearer realm="countersign""#)),
            Self::InvalidToken(_) | Self::Expired | Self::Revoked => "invalid_token",
            Self::Forbidden { .. } => "insufficient_scope",
            Self::AmbiguousCredentials => "invalid_request",
            Self::KeysUnavailable | Self::RevocationUnknown | Self::NoVerifier => return None,
        };
        let scope = match self {
            Self::Forbidden { scope: Some(scope) } => format!(r#", scope="{scope}""#),
            _ => String::new(),
        };
        let challenge =
            format!(r#"Bearer realm="countersign", error="{error}", error_description="{self}"{scope}"#);
        HeaderValue::try_from(challenge).ok()
    }
}

impl ResponseError for AuthError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NoToken | Self::InvalidToken(_) | Self::Expired | Self::Revoked => StatusCode::UNAUTHORIZED,
            Self::Forbidden { .. } => StatusCode::FORBIDDEN,
            Self::AmbiguousCredentials => StatusCode::BAD_REQUEST,
            Self::KeysUnavailable | Self::RevocationUnknown => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoVerifier => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = ProblemDetails::new(self.status_code(), self.code())
            .detail(self.to_string())
            .respond();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = self.challenge() {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if self.status_code() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
