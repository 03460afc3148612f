//! The outermost middleware. It gives each request an id, counts it, turns all errors into problem details, and adds the
//! headers that every response has.
//!
//! It is one layer because each layer of actix-web costs two allocations and two dynamic calls for each request.

use std::future::{Ready, ready};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::error::InternalError;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::{Error, HttpMessage as _, HttpResponse};
use auth::{ProblemDetails, TraceContext, problem_json};
use futures_util::future::LocalBoxFuture;

use crate::request_id::{RequestId, X_REQUEST_ID};
use crate::request_log::{SpanFields, status_of};
use crate::request_metrics::RequestMetrics;
use crate::route_metrics::known_method;
use crate::shutdown::Shutdown;
use crate::unread_body::UnreadBody;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Wraps an application in the middleware.
#[derive(Clone, Debug)]
pub(crate) struct Middleware {
    /// The name under which the service logs.
    pub service_name: &'static str,
    /// Once it is requested, each response closes its connection.
    pub shutdown: Shutdown,
}

impl<S, B> Transform<S, ServiceRequest> for Middleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Transform = Wrapped<S>;
    type InitError = ();
    type Future = Ready<Result<Wrapped<S>, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(Wrapped(Rc::new(Worker {
            service,
            settings: self.clone(),
            metrics: RequestMetrics::default(),
        }))))
    }
}

/// An application with the middleware around it.
pub(crate) struct Wrapped<S>(Rc<Worker<S>>);

/// The state that the requests of one worker thread share.
struct Worker<S> {
    service: S,
    settings: Middleware,
    metrics: RequestMetrics,
}

impl<S, B> Service<ServiceRequest> for Wrapped<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
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

impl<S> Worker<S> {
    async fn answer<B>(&self, mut request: ServiceRequest) -> Result<ServiceResponse, Error>
    where
        S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
        B: MessageBody + 'static,
    {
        let started = Instant::now();
        let method = known_method(request.method().as_str());
        let route = self.metrics.route(&request);
        let id = RequestId::of(request.headers());
        let trace_parent = request.headers().get(TRACEPARENT);
        let trace = TraceContext::new(id.as_str(), trace_parent.and_then(|value| value.to_str().ok()));
        let ends_connection = request.head().connection_type() == ConnectionType::Upgrade;
        let body = UnreadBody::share(&mut request);
        request.extensions_mut().insert(id.clone());
        request.extensions_mut().insert(SpanFields {
            service_name: self.settings.service_name,
            route: Rc::clone(&route),
        });

        let outcome = trace.run(self.service.call(request)).await;

        route.record(method, status_of(&outcome).as_u16(), started.elapsed());

        let complete = |response: HttpResponse| {
            let mut response = add_standard_headers(response, id);
            // After an upgrade, actix-http closes it in any case, but without notice.
            if ends_connection || self.settings.shutdown.is_draining() {
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
                Ok(ServiceResponse::new(
                    request,
                    complete(response.map_into_boxed_body()),
                ))
            }
            // actix-web needs sole ownership of the request to route it, so there is none left to go with the error.
            Err(error) => {
                let response = complete(error.error_response());
                Err(InternalError::from_response(error, response).into())
            }
        }
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
    forbid_frames(headers);
    response
}

/// Forbids other sites to show a page in a frame, where they could make the user click on it, unless the handler did.
fn forbid_frames(headers: &mut HeaderMap) {
    let media_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_page = media_type.is_some_and(|media_type| media_type.starts_with(b"text/html"));
    if is_page && !headers.contains_key(X_FRAME_OPTIONS) {
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers.insert(
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("frame-ancestors 'none'"),
        );
    }
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
        status if status.is_server_error() => ("internal", "An internal error occurred."),
        _ => ("bad_request", "The request is invalid."),
    }
}
