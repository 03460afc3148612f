//! Why the gateway itself answers a request with an error, and the response to it.

use actix_web::ResponseError as _;
use actix_web::http::StatusCode as ProblemStatus;
use auth::{AuthError, ProblemDetails};
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{Response, StatusCode};

use crate::body::ResponseBody;

/// The methods that the gateway forwards.
pub(crate) const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Why the gateway refuses a request, or has no response of a service to pass on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("The path is not valid, or could be read in more than one way.")]
    Path,
    #[error("The Host header is missing, repeated or not valid.")]
    Host,
    #[error("There are too many headers.")]
    TooManyHeaders,
    #[error("There is nothing at this path.")]
    NotFound,
    #[error("This path does not support the method.")]
    Method { allowed: &'static str },
    #[error("{0}")]
    Auth(AuthError),
    #[error("Pages of this origin may not read responses.")]
    Origin,
    #[error("The body is not valid, or broke off.")]
    Body,
    #[error("The body is too long.")]
    BodyTooLarge,
    #[error("The body did not arrive in time.")]
    BodyTimeout,
    #[error("Too many requests. Try again later.")]
    RateLimited { retry_after_seconds: u64 },
    #[error("The service can't be reached, or did not answer correctly.")]
    Unavailable,
    #[error("The service has failed repeatedly. Try again later.")]
    CircuitOpen { retry_after_seconds: u64 },
    #[error("The service did not answer in time.")]
    UpstreamTimeout,
    #[error("Something went wrong.")]
    Internal,
    #[error("Not ready: {missing}.")]
    NotReady { missing: &'static str },
}

impl Refusal {
    /// The status and the stable code of the response.
    fn parts(self) -> (StatusCode, &'static str) {
        match self {
            Self::Path => (StatusCode::BAD_REQUEST, "invalid_path"),
            Self::Host | Self::Body => (StatusCode::BAD_REQUEST, "bad_request"),
            Self::TooManyHeaders => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::Method { .. } => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::Auth(error) => (
                StatusCode::from_u16(error.status_code().as_u16()).unwrap_or(StatusCode::UNAUTHORIZED),
                error.code(),
            ),
            Self::Origin => (StatusCode::FORBIDDEN, "origin_not_allowed"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"),
            Self::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "request_timeout"),
            Self::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
            Self::Unavailable => (StatusCode::BAD_GATEWAY, "upstream_unavailable"),
            Self::CircuitOpen { .. } => (StatusCode::SERVICE_UNAVAILABLE, "circuit_open"),
            Self::UpstreamTimeout => (StatusCode::GATEWAY_TIMEOUT, "upstream_timeout"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
            Self::NotReady { .. } => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
        }
    }

    fn retry_after_seconds(self) -> Option<u64> {
        match self {
            Self::RateLimited { retry_after_seconds } | Self::CircuitOpen { retry_after_seconds } => {
                Some(retry_after_seconds)
            }
            _ if self.parts().0 == StatusCode::SERVICE_UNAVAILABLE => Some(1),
            _ => None,
        }
    }

    /// The response: problem details (RFC 9457).
    pub(crate) fn respond(self, request_id: &str) -> Response<ResponseBody> {
        let (status, code) = self.parts();
        let problem_status =
            ProblemStatus::from_u16(status.as_u16()).unwrap_or(ProblemStatus::INTERNAL_SERVER_ERROR);
        let problem = ProblemDetails::new(problem_status, code)
            .detail(self.to_string())
            .request_id(request_id);

        let mut response = Response::new(ResponseBody::full(problem.body()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(seconds) = self.retry_after_seconds() {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        match self {
            Self::Method { allowed } => {
                headers.insert(ALLOW, HeaderValue::from_static(allowed));
            }
            Self::Auth(error) => {
                let challenge = error
                    .challenge()
                    .and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok());
                headers.extend(challenge.map(|challenge| (WWW_AUTHENTICATE, challenge)));
            }
            _ => {}
        }
        response
    }
}

impl From<AuthError> for Refusal {
    fn from(error: AuthError) -> Self {
        metrics::counter!("auth_refusals_total", "code" => error.code()).increment(1);
        Self::Auth(error)
    }
}
