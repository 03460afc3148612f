//! Why a request is refused, and the response to it (RFC 6750 §3).

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};

use crate::problem::ProblemDetails;

/// The realm that challenges name (RFC 9110 §11.5), unless the verifier has [another](crate::VerifierBuilder::realm).
pub const DEFAULT_REALM: &str = "countersign";

/// Why a request is refused. The response has the status, the challenge that RFC 6750 §3 requires, and problem details. The
/// [`TokenFault`] appears only in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// 401 `no_token`: the request has no bearer token.
    #[error("An access token is required.")]
    NoToken,
    /// 401 `invalid_token`: the verifier does not accept the token. The reason is for logs and tests.
    #[error("The access token is not valid.")]
    InvalidToken(TokenFault),
    /// 401 `token_expired`: the token's `exp` has passed.
    #[error("The access token has expired.")]
    Expired,
    /// 401 `token_revoked`: the token's session has ended, or the user's epoch was raised after the token was issued.
    #[error("The access token was revoked.")]
    Revoked,
    /// 403 `forbidden`: the caller is known, but the policy does not admit this caller.
    #[error("You are not allowed to do this.")]
    Forbidden {
        /// The scope that the route requires, if it requires one.
        scope: Option<&'static str>,
    },
    /// 400 `invalid_request`: more than one `Authorization` header, or a cookie with another token.
    #[error("Send one access token.")]
    AmbiguousCredentials,
    /// 400 `invalid_request`: more than one [identity header](crate::IDENTITY_HEADER).
    #[error("Send one x-countersign-identity header.")]
    AmbiguousIdentity,
    /// 403 `cross_site`: the request comes from a page that the [cross-site rule](crate::Origins) does not admit.
    #[error("A request that uses or sets cookies, or opens a WebSocket, must come from a page of this site.")]
    CrossSite,
    /// 503 `keys_unavailable`: no key set has been loaded yet, so no token can be verified.
    #[error("Access tokens can't be verified yet.")]
    KeysUnavailable,
    /// 503 `revocation_unknown`: the verifier can't rule out that the token is revoked, because the revocation set is incomplete,
    /// or because the authorization server did not answer the [introspection](crate::Introspection).
    #[error("It is not known whether the access token was revoked.")]
    RevocationUnknown,
    /// 500 `internal`: the application has no `Data<Verifier>`. A programming error.
    #[error("Something went wrong.")]
    NoVerifier,
}

/// The fault of an invalid token. Logged, never sent to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFault {
    /// Longer than [`MAX_TOKEN_BYTES`](crate::MAX_TOKEN_BYTES).
    #[error("too long")]
    TooLong,
    /// The token does not have three parts; its header or payload is not a JSON object in canonical base64url; two members have the
    /// same name; or a member that the verifier reads has the wrong type.
    #[error("malformed")]
    Malformed,
    /// `typ` is not one that the issuer's [`Profile`](crate::Profile) takes.
    #[error("wrong typ")]
    Type,
    /// `alg` is not the algorithm of the key (RFC 8725 §3.1).
    #[error("wrong alg")]
    Algorithm,
    /// `crit` is present; no extension is supported (RFC 7515 §4.1.11).
    #[error("crit present")]
    Critical,
    /// `kid` is missing or not in the key set.
    #[error("unknown key")]
    UnknownKey,
    /// The signature does not match.
    #[error("bad signature")]
    Signature,
    /// `iss` is not an issuer of this verifier.
    #[error("wrong issuer")]
    Issuer,
    /// `aud` does not include this verifier's audience.
    #[error("wrong audience")]
    Audience,
    /// A service's token, but no services are admitted; or a user's access token, but users are known only by identity tokens.
    #[error("wrong kind of principal")]
    Principal,
    /// `nbf` is in the future.
    #[error("not valid yet")]
    NotYetValid,
    /// A claim that the issuer's [`Profile`](crate::Profile) requires is missing. Which one is logged at the level `debug`.
    #[error("a required claim is missing")]
    Missing,
    /// The claims contradict the issuer's [`Profile`](crate::Profile): one does not have the value or the form that it requires, or a
    /// service's token has a claim that only users' tokens have.
    #[error("wrong claims")]
    Claims,
    /// The token is bound to a key of the client (`cnf`, RFC 7800), which would have to be checked.
    #[error("bound to a key")]
    BoundToKey,
}

impl AuthError {
    /// The stable error code in the response body.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::InvalidToken(_) => "invalid_token",
            Self::Expired => "token_expired",
            Self::Revoked => "token_revoked",
            Self::Forbidden { .. } => "forbidden",
            Self::AmbiguousCredentials | Self::AmbiguousIdentity => "invalid_request",
            Self::CrossSite => "cross_site",
            Self::KeysUnavailable => "keys_unavailable",
            Self::RevocationUnknown => "revocation_unknown",
            Self::NoVerifier => "internal",
        }
    }

    /// Whether the token is missing or invalid (401). False if a known caller is not admitted, or if the verifier can't decide.
    #[must_use]
    pub fn is_unauthenticated(&self) -> bool {
        self.status_code() == StatusCode::UNAUTHORIZED
    }

    /// The value of `WWW-Authenticate` (RFC 6750 §3) in the default realm. It has the member `error` unless the request had no token.
    /// `None` for server errors, and for [`CrossSite`](Self::CrossSite).
    #[must_use]
    pub fn challenge(&self) -> Option<HeaderValue> {
        self.challenge_in(DEFAULT_REALM)
    }

    /// The response in this realm: status, challenge and problem details.
    #[must_use]
    pub fn response_in(&self, realm: &str) -> HttpResponse {
        let mut response = ProblemDetails::new(self.status_code(), self.code())
            .detail(self.to_string())
            .respond();

        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = self.challenge_in(realm) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if self.status_code() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }

    /// The value of `WWW-Authenticate` in this realm: see [`challenge`](Self::challenge).
    #[must_use]
    pub fn challenge_in(&self, realm: &str) -> Option<HeaderValue> {
        // RFC 9110 §5.6.4: in a quoted string, these two are escaped.
        let realm = realm.replace('\\', r"\\").replace('"', r#"\""#);
        let error = match self {
            Self::NoToken => return HeaderValue::try_from(format!(r#"Bearer realm="{realm}""#)).ok(),
            Self::InvalidToken(_) | Self::Expired | Self::Revoked => "invalid_token",
            Self::Forbidden { .. } => "insufficient_scope",
            Self::AmbiguousCredentials | Self::AmbiguousIdentity => "invalid_request",
            // Another credential would not help, and the others are errors of the server.
            Self::CrossSite | Self::KeysUnavailable | Self::RevocationUnknown | Self::NoVerifier => {
                return None;
            }
        };
        let scope = match self {
            Self::Forbidden { scope: Some(scope) } => format!(r#", scope="{scope}""#),
            _ => String::new(),
        };
        let challenge =
            format!(r#"Bearer realm="{realm}", error="{error}", error_description="{self}"{scope}"#);
        HeaderValue::try_from(challenge).ok()
    }
}

impl ResponseError for AuthError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NoToken | Self::InvalidToken(_) | Self::Expired | Self::Revoked => StatusCode::UNAUTHORIZED,
            Self::Forbidden { .. } | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::AmbiguousCredentials | Self::AmbiguousIdentity => StatusCode::BAD_REQUEST,
            Self::KeysUnavailable | Self::RevocationUnknown => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoVerifier => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        self.response_in(DEFAULT_REALM)
    }
}
