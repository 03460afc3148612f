//! How a service's own errors become answers.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use auth::{AuthError, FieldError, ProblemDetails};
use serde_json::{Map, Value};

/// An error with an answer. `Display` is for the caller, `Debug` for the log.
///
/// ```
/// use actix_web::http::StatusCode;
/// use service_kit::{Problem, problem};
///
/// #[derive(Debug, thiserror::Error)]
/// enum OrderError {
///     #[error("There is no such order.")]
///     NotFound,
/// }
///
/// impl Problem for OrderError {
///     fn parts(&self) -> (StatusCode, &'static str) {
///         match self {
///             Self::NotFound => (StatusCode::NOT_FOUND, "order_not_found"),
///         }
///     }
/// }
/// problem!(OrderError);
/// ```
pub trait Problem: std::error::Error {
    /// Status and stable code.
    fn parts(&self) -> (StatusCode, &'static str);

    /// What is wrong with which field, for 422.
    fn fields(&self) -> Vec<FieldError> {
        Vec::new()
    }

    /// Members of the problem's own (RFC 9457 §3.2): what a program needs to go on from there.
    fn members(&self) -> Map<String, Value> {
        Map::new()
    }

    /// The challenge of a 401 (RFC 9110 §11.6.1).
    fn challenge(&self) -> Option<HeaderValue> {
        None
    }

    /// After how many seconds to try again (RFC 9110 §10.2.3). Soon, where the service is not available for a moment.
    fn retry_after(&self) -> Option<u32> {
        (self.parts().0 == StatusCode::SERVICE_UNAVAILABLE).then_some(1)
    }
}

/// Makes a [`Problem`] something that a handler can fail with.
#[macro_export]
macro_rules! problem {
    ($error:ty) => {
        impl $crate::__private::ResponseError for $error {
            fn status_code(&self) -> $crate::__private::StatusCode {
                $crate::Problem::parts(self).0
            }

            fn error_response(&self) -> $crate::__private::HttpResponse {
                $crate::__private::answer(self)
            }
        }
    };
}

/// The answer to a problem. An internal error says nothing but that it is one.
pub fn answer(problem: &impl Problem) -> HttpResponse {
    let (status, code) = problem.parts();
    let detail = match status {
        StatusCode::INTERNAL_SERVER_ERROR => "Something went wrong here.".to_owned(),
        _ => problem.to_string(),
    };
    let details = ProblemDetails::new(status, code).detail(detail);
    let mut response = details
        .errors(problem.fields())
        .members(problem.members())
        .respond();
    // RFC 6750 §3.1: a token that is good, but not good enough.
    if code == "forbidden"
        && let Some(challenge) = (AuthError::Forbidden { scope: None }).challenge()
    {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    if let Some(challenge) = problem.challenge() {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    if let Some(seconds) = problem.retry_after() {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// What is wrong with a request's form, on any route of any service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// 400: not JSON, or a member twice.
    #[error("The body is not well-formed JSON: {0}.")]
    MalformedJson(String),
    /// 400: not a form, or a parameter twice.
    #[error("The body is not a well-formed form: {0}.")]
    MalformedForm(&'static str),
    /// 413.
    #[error("The body is longer than {} KiB.", crate::extract::MAX_BODY_BYTES / 1024)]
    BodyTooLarge,
    /// 415.
    #[error("Send the body as {0}, in UTF-8 and without a content coding.")]
    UnsupportedMediaType(&'static str),
    /// 422: JSON, but not what is wanted.
    #[error("The body does not say what is needed.")]
    Invalid(Vec<FieldError>),
    /// 400: a query that can't be read.
    #[error("The query is not valid: {0}.")]
    InvalidQuery(String),
    /// 400: a header that can't be read.
    #[error("The header {0} is not valid.")]
    InvalidHeader(&'static str),
    /// 408: the body stopped coming.
    #[error("The body did not arrive in time.")]
    BodyTimeout,
    /// 400: the connection broke, or the framing of the body is wrong.
    #[error("The body did not arrive whole.")]
    BodyIncomplete,
}

impl RequestError {
    /// One field is wrong.
    #[must_use]
    pub fn field(field: &str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError {
            field: field.to_owned(),
            message: message.into(),
        }])
    }
}

impl Problem for RequestError {
    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::MalformedJson(_) => (StatusCode::BAD_REQUEST, "malformed_json"),
            Self::MalformedForm(_) => (StatusCode::BAD_REQUEST, "malformed_form"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"),
            Self::UnsupportedMediaType(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
            Self::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_body"),
            Self::InvalidQuery(_) => (StatusCode::BAD_REQUEST, "invalid_query"),
            Self::InvalidHeader(_) => (StatusCode::BAD_REQUEST, "invalid_header"),
            Self::BodyTimeout => (StatusCode::REQUEST_TIMEOUT, "body_timeout"),
            Self::BodyIncomplete => (StatusCode::BAD_REQUEST, "body_incomplete"),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Invalid(fields) => fields.clone(),
            _ => Vec::new(),
        }
    }
}
crate::problem!(RequestError);
