//! The middleware around every handler. It gives each request an id, a log span and a deadline, counts it, turns panics
//! and the framework's refusals into problem details, and adds the headers that every response has.
//!
//! It is one layer because each layer of actix-web costs two allocations and two dynamic calls for each request.

use std::future::{Ready, ready};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::body::BoxBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::error::InternalError;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::{Error, HttpMessage as _, HttpResponse};
use auth::{ProblemDetails, TraceContext, problem_json};
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use tracing::{Instrument as _, Span};

use crate::host;
use crate::problem::Problem;
use crate::request_id::{NewIds, RequestId, X_REQUEST_ID};
use crate::request_metrics::{RequestMetrics, Route, known_method};
use crate::unread_body::UnreadBody;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Wraps an application in the middleware.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Middleware {
    /// The name under which the service logs.
    pub service_name: &'static str,
    /// How long a handler may take, the arrival of the body included.
    pub deadline: Duration,
}

impl<S> Transform<S, ServiceRequest> for Middleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<BoxBody>, Error = Error> + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Transform = Wrapped<S>;
    type InitError = ();
    type Future = Ready<Result<Wrapped<S>, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(Wrapped(Rc::new(Worker {
            service,
            settings: *self,
            metrics: RequestMetrics::default(),
            new_ids: NewIds::default(),
        }))))
    }
}

/// An application with the middleware around it.
pub(crate) struct Wrapped<S>(Rc<Worker<S>>);

/// What the requests of one worker thread share.
struct Worker<S> {
    service: S,
    settings: Middleware,
    metrics: RequestMetrics,
    new_ids: NewIds,
}

impl<S> Service<ServiceRequest> for Wrapped<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<BoxBody>, Error = Error> + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Error>>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.service.poll_ready(cx)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let worker = Rc::clone(&self.0);
        Box::pin(async move { worker.answer(request).await })
    }
}

impl<S> Worker<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<BoxBody>, Error = Error>,
{
    async fn answer(&self, mut request: ServiceRequest) -> Result<ServiceResponse, Error> {
        let started = Instant::now();
        let method = known_method(request.method());
        let route = self.metrics.route(&request);
        let id = RequestId::of(request.headers(), &self.new_ids);
        let trace_parent = request.headers().get(TRACEPARENT);
        let trace = TraceContext::new(id.as_str(), trace_parent.and_then(|value| value.to_str().ok()));
        let span = self.span(&request, &id, &route);
        let ends_connection = request.head().connection_type() == ConnectionType::Upgrade;
        let body = UnreadBody::share(&mut request);
        request.extensions_mut().insert(id.clone());

        let handled = self.handle(request, started).instrument(span.clone());
        let outcome = trace.scope(handled).await;

        log(&span, &outcome);
        route.record(method, status_of(&outcome), started.elapsed());

        let complete = |response: HttpResponse| {
            let mut response = add_standard_headers(response, id);
            if ends_connection {
                // actix-http closes it in any case, but without notice.
                response.head_mut().set_connection_type(ConnectionType::Close);
            }
            match body {
                Some(body) => response.map_body(|_, answer| body.keep_until_sent(answer)),
                None => response,
            }
        };
        match outcome {
            Ok(response) => {
                let (request, response) = response.into_parts();
                Ok(ServiceResponse::new(request, complete(response)))
            }
            // actix-web needs sole ownership of the request to route it, so there is none left to go with the error.
            Err(error) => {
                let response = complete(error.error_response());
                Err(InternalError::from_response(error, response).into())
            }
        }
    }

    /// Runs the handler. A handler that panics or exceeds the deadline becomes an error.
    async fn handle(&self, request: ServiceRequest, started: Instant) -> Result<ServiceResponse, Error> {
        host::check(request.head())?;

        let handler = async { self.service.call(request).await };
        let deadline = (started + self.settings.deadline).into();
        match AssertUnwindSafe(tokio::time::timeout_at(deadline, handler))
            .catch_unwind()
            .await
        {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(HandlerFailure::TimedOut.into()),
            Err(_) => Err(HandlerFailure::Panicked.into()),
        }
    }

    /// The request's span in the log. Fields are listed here one by one: the query may contain personal data, and so may
    /// the address and the user agent.
    fn span(&self, request: &ServiceRequest, id: &RequestId, route: &Route) -> Span {
        tracing::info_span!(
            "request",
            service.name = self.settings.service_name,
            request_id = id.as_str(),
            http.method = %request.method(),
            http.route = route.pattern(),
            http.status_code = tracing::field::Empty,
        )
    }
}

/// Why a handler produced no response.
#[derive(Debug, thiserror::Error)]
enum HandlerFailure {
    #[error("The request took too long.")]
    TimedOut,
    #[error("The handler panicked.")]
    Panicked,
}

impl Problem for HandlerFailure {
    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::TimedOut => (StatusCode::SERVICE_UNAVAILABLE, "timeout"),
            Self::Panicked => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }
}
crate::problem!(HandlerFailure);

fn status_of(outcome: &Result<ServiceResponse, Error>) -> StatusCode {
    match outcome {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    }
}

/// Writes the request's line in the log.
fn log(span: &Span, outcome: &Result<ServiceResponse, Error>) {
    let status = status_of(outcome);
    let error = match outcome {
        Ok(response) => response.response().error(),
        Err(error) => Some(error),
    };
    span.record("http.status_code", status.as_u16());
    let _entered = span.enter();
    match error {
        Some(error) if status.is_server_error() => tracing::error!(?error, "failed"),
        _ => tracing::info!("answered"),
    }
}

/// Adds the headers that every response has, and makes every refusal problem details.
fn add_standard_headers(mut response: HttpResponse, id: RequestId) -> HttpResponse {
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        response = into_problem(response, &id);
    }
    let headers = response.headers_mut();
    if status.is_server_error() && !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE && !headers.contains_key(RETRY_AFTER) {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    headers.insert(X_REQUEST_ID, id.into());
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Adds the request's id to problem details, and replaces the framework's own refusals with problem details.
fn into_problem(mut response: HttpResponse, id: &RequestId) -> HttpResponse {
    let status = response.status();
    let details = response.extensions_mut().remove::<ProblemDetails>();
    let problem = match details {
        Some(problem) => problem,
        None if is_json(response.headers()) => return response,
        None => {
            let (code, detail) = refusal(status);
            ProblemDetails::new(status, code).detail(detail)
        }
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

/// The code and the detail of a refusal that the framework made.
fn refusal(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::NOT_FOUND => ("not_found", "There is nothing at this path."),
        StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "This path does not support the method."),
        StatusCode::REQUEST_TIMEOUT => ("request_timeout", "The request did not arrive in time."),
        StatusCode::PAYLOAD_TOO_LARGE => ("payload_too_large", "The body is too long."),
        StatusCode::URI_TOO_LONG => ("uri_too_long", "The URL is too long."),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => (
            "unsupported_media_type",
            "This path does not accept a body of this type.",
        ),
        status if status.is_server_error() => ("internal", "Something went wrong here."),
        _ => ("bad_request", "The request is invalid."),
    }
}
