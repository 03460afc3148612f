//! The layers around a handler: every request has an id, every answer bears it, every refusal has one shape, and none takes forever.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpResponse};
use auth::{ProblemDetails, TraceContext, problem_json};
use futures_util::FutureExt as _;
use uuid::Uuid;

use crate::problem::Problem;
use crate::unread::Shared;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The id by which a request is found in the logs of all services that it went through.
#[derive(Clone, Debug)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The caller's own id where it can do no harm, else a new one.
    fn of(headers: &HeaderMap) -> Self {
        let is_plain = |id: &&HeaderValue| {
            let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
            (1..=128).contains(&id.len()) && id.as_bytes().iter().all(plain)
        };
        Self(
            headers
                .get(X_REQUEST_ID)
                .filter(is_plain)
                .cloned()
                .unwrap_or_else(|| {
                    // Random, not ordered by time: nothing is sorted by it, and it tells a stranger nothing.
                    HeaderValue::try_from(Uuid::new_v4().to_string())
                        .unwrap_or(HeaderValue::from_static("none"))
                }),
        )
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// Why a handler gave no answer of its own.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error("The answer took too long.")]
    Late,
    #[error("The handler panicked.")]
    Panicked,
}

impl Problem for Unanswered {
    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Late => (StatusCode::SERVICE_UNAVAILABLE, "timeout"),
            Self::Panicked => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }
}
crate::problem!(Unanswered);

/// The innermost layer: a handler that hangs or panics ends in a refusal, which is counted and logged as any other.
pub(crate) async fn within<B: MessageBody + 'static>(
    deadline: Duration,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let answered = tokio::time::timeout(deadline, next.call(request));
    match AssertUnwindSafe(answered).catch_unwind().await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(Unanswered::Late.into()),
        Err(_) => Err(Unanswered::Panicked.into()),
    }
}

/// The outermost layer.
pub(crate) async fn finish<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    let trace_parent = request
        .headers()
        .get(TRACEPARENT)
        .and_then(|value| value.to_str().ok());
    let context = TraceContext::new(id.as_str(), trace_parent);
    let body = Shared::of(&mut request);
    let dress = |response| {
        let response = dress(response, id);
        match body {
            Some(body) => response.map_body(|_, answer| body.kept_by(answer)),
            None => response,
        }
    };
    match context.scope(next.call(request)).await {
        Ok(response) => {
            let (request, response) = response.into_parts();
            Ok(ServiceResponse::new(
                request,
                dress(response.map_into_boxed_body()),
            ))
        }
        // The router wants the request for itself, so no part of it can be kept for an answer that comes without one.
        Err(error) => {
            let response = dress(error.error_response());
            Err(InternalError::from_response(error, response).into())
        }
    }
}

/// Gives an answer what every answer has.
fn dress(mut response: HttpResponse, id: RequestId) -> HttpResponse {
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        response = shape(response, &id);
    }
    let headers = response.headers_mut();
    if status.is_server_error() && !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE && !headers.contains_key(RETRY_AFTER) {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    headers.insert(X_REQUEST_ID, id.0);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Gives a refusal the request's id, and the framework's own refusals the shape of all others.
fn shape(mut response: HttpResponse, id: &RequestId) -> HttpResponse {
    let status = response.status();
    let ours = response.extensions_mut().remove::<ProblemDetails>();
    let problem = match ours {
        Some(problem) => problem,
        None if is_json(response.headers()) => return response,
        None => ProblemDetails::new(status, code_of(status)),
    };
    let body = problem.request_id(id.as_str()).body();
    let (name, value) = problem_json();
    response
        .headers_mut()
        .insert(name, HeaderValue::from_static(value));
    response.map_body(|_, _| BoxBody::new(body))
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/json"))
}

fn code_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
        StatusCode::REQUEST_TIMEOUT => "request_timeout",
        StatusCode::PAYLOAD_TOO_LARGE => "payload_too_large",
        StatusCode::URI_TOO_LONG => "uri_too_long",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported_media_type",
        status if status.is_server_error() => "internal",
        _ => "bad_request",
    }
}
