//! Errors as responses: every error of a service becomes problem details (RFC 9457).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use auth::{AuthError, FieldError, ProblemDetails};
use serde_json::{Map, Value};

/// An error with a response. `Display` is for the caller, `Debug` for the log.
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
    /// The status and the stable code.
    fn parts(&self) -> (StatusCode, &'static str);

    /// The invalid fields of the request's body, for 422.
    fn fields(&self) -> Vec<FieldError> {
        Vec::new()
    }

    /// Extension members (RFC 9457 §3.2): data with which a client can continue.
    fn members(&self) -> Map<String, Value> {
        Map::new()
    }

    /// The challenge of a 401 that has nothing to do with access tokens (RFC 9110 §11.6.1).
    fn challenge(&self) -> Option<HeaderValue> {
        None
    }

    /// Seconds after which the client may try again (RFC 9110 §10.2.3). A response with 503 says 1 second if this is `None`.
    fn retry_after(&self) -> Option<u32> {
        None
    }
}

/// Lets a handler return a [`Problem`] as its error. With the name of the variant that holds a
/// [`CommonError`](crate::CommonError), `?` also converts `sqlx::Error`, `AuthError` and [`RequestError`], and the response to that variant
/// is `CommonError`'s own: the service's `fields`, `members` and `retry_after` concern only its other variants.
#[macro_export]
macro_rules! problem {
    ($error:ty) => {
        impl $crate::__private::ResponseError for $error {
            fn status_code(&self) -> $crate::__private::StatusCode {
                $crate::Problem::parts(self).0
            }

            fn error_response(&self) -> $crate::__private::HttpResponse {
                $crate::__private::respond(self)
            }
        }
    };
    ($error:ty, $common:ident) => {
        impl $crate::__private::ResponseError for $error {
            fn status_code(&self) -> $crate::__private::StatusCode {
                $crate::Problem::parts(self).0
            }

            fn error_response(&self) -> $crate::__private::HttpResponse {
                match self {
                    Self::$common(error) => $crate::__private::respond(error),
                    error => $crate::__private::respond(error),
                }
            }
        }

        impl From<$crate::RequestError> for $error {
            fn from(error: $crate::RequestError) -> Self {
                Self::$common(error.into())
            }
        }

        impl From<$crate::__private::SqlxError> for $error {
            fn from(error: $crate::__private::SqlxError) -> Self {
                Self::$common(error.into())
            }
        }

        impl From<$crate::__private::AuthError> for $error {
            fn from(error: $crate::__private::AuthError) -> Self {
                Self::$common(error.into())
            }
        }
    };
}

/// The response to a problem. An internal error does not say more than that.
pub fn respond(problem: &impl Problem) -> HttpResponse {
    let (status, code) = problem.parts();
    let detail = match status {
        StatusCode::INTERNAL_SERVER_ERROR => "An internal error occurred.".to_owned(),
        _ => problem.to_string(),
    };
    let mut response = ProblemDetails::new(status, code)
        .detail(detail)
        .errors(problem.fields())
        .members(problem.members())
        .respond();

    // RFC 6750 §3.1: the token is valid, but does not permit this.
    if code == "forbidden"
        && let Some(challenge) = (AuthError::Forbidden { scope: None }).challenge()
    {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }

    if let Some(challenge) = problem.challenge() {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }

    let is_unavailable = status == StatusCode::SERVICE_UNAVAILABLE;
    if let Some(seconds) = problem.retry_after().or(is_unavailable.then_some(1)) {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// An invalid request, on any route of any service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// 400: the body is not JSON, or an object in it has a duplicate member.
    #[error("The body is not well-formed JSON: {0}.")]
    MalformedJson(String),
    /// 400: the body is not a form, or has a duplicate parameter.
    #[error("The body is not a well-formed form: {0}.")]
    MalformedForm(&'static str),
    /// 413.
    #[error("The body is longer than {} KiB.", crate::extract::MAX_BODY_BYTES / 1024)]
    BodyTooLarge,
    /// 415.
    #[error("Send the body as {0}, in UTF-8 and without a content coding.")]
    UnsupportedMediaType(&'static str),
    /// 422: the body is well-formed, but its fields are invalid.
    #[error("The request body is invalid.")]
    Invalid(Vec<FieldError>),
    /// 400: the URL's query is invalid.
    #[error("The query is invalid: {0}.")]
    InvalidQuery(String),
    /// 400: a header is invalid.
    #[error("The header {0} is invalid.")]
    InvalidHeader(&'static str),
    /// 408: the client stopped sending the body.
    #[error("The body did not arrive in time.")]
    BodyTimeout,
    /// 400: the connection broke, or the body's framing is invalid.
    #[error("The body is incomplete.")]
    BodyIncomplete,
}

impl RequestError {
    /// One field of the body is invalid.
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
