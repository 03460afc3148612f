//! One span and one line in the log for each request.

use std::rc::Rc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::{Error, HttpMessage as _};
use tracing::Span;
use tracing::field::Empty;
use tracing_actix_web::RootSpanBuilder;

use crate::request_id::RequestId;
use crate::route_metrics::RouteMetrics;

/// Fields of the span that the middleware puts into the request's extensions.
pub(crate) struct SpanFields {
    pub service_name: &'static str,
    pub route: Rc<RouteMetrics>,
}

/// Builds the request's span. Its fields are listed one by one: the query may contain personal data, and so may the address
/// and the user agent.
pub(crate) struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let extensions = request.extensions();
        let fields = extensions.get::<SpanFields>();
        tracing::info_span!(
            "request",
            service.name = fields.map_or("", |fields| fields.service_name),
            request_id = extensions.get::<RequestId>().map_or("", RequestId::as_str),
            http.method = request.method().as_str(),
            http.route = fields.map_or("", |fields| fields.route.route()),
            http.status_code = Empty,
        )
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
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
}

/// The status of the response to a request.
pub(crate) fn status_of<B>(outcome: &Result<ServiceResponse<B>, Error>) -> StatusCode {
    match outcome {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    }
}
