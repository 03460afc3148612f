//! What a service tells of itself: one line a request in the log, counters and timings for Prometheus.

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::Span;
use tracing_actix_web::RootSpanBuilder;
use tracing_subscriber::EnvFilter;

use crate::answer::RequestId;
use crate::config::Env;

/// How a service logs.
#[derive(Clone, Debug)]
pub struct Telemetry {
    filter: String,
    json: bool,
}

impl Telemetry {
    /// Reads `RUST_LOG` and `LOG_FORMAT`.
    pub fn read(env: &mut Env) -> Self {
        let filter = env
            .text("RUST_LOG")
            .unwrap_or_else(|| "info,actix_server=warn".to_owned());
        if EnvFilter::try_new(&filter).is_err() {
            env.problem("RUST_LOG", "must be a filter such as `info` or `info,sqlx=debug`");
        }
        let json = match env.text("LOG_FORMAT").as_deref() {
            None => !std::io::stderr().is_terminal(),
            Some("json") => true,
            Some("pretty") => false,
            Some(_) => {
                env.problem("LOG_FORMAT", "must be `json` or `pretty`");
                true
            }
        };
        Self { filter, json }
    }

    /// Begins to log, to standard error. A second call in one process changes nothing.
    pub fn start(&self) {
        let log = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(&self.filter))
            .with_writer(std::io::stderr);
        let started = if self.json {
            log.json().flatten_event(true).with_span_list(false).try_init()
        } else {
            log.try_init()
        };
        if started.is_err() {
            tracing::debug!("another subscriber logs already");
        }
    }
}

/// Whose log it is, among the application's data.
#[derive(Clone, Copy)]
pub(crate) struct ServiceName(pub &'static str);

/// One span a request. What may stand in it is listed here: no query, which may hold what somebody searched for, no address, no
/// user agent.
pub(crate) struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let extensions = request.extensions();
        let id = extensions
            .get::<RequestId>()
            .map(RequestId::as_str)
            .unwrap_or_default();
        tracing::info_span!(
            "request",
            service.name = request.app_data::<ServiceName>().map_or("", |name| name.0),
            request_id = id,
            http.method = %request.method(),
            http.route = request.match_pattern().unwrap_or_default(),
            http.status_code = tracing::field::Empty,
        )
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let (status, error) = match outcome {
            Ok(response) => (response.status(), response.response().error()),
            Err(error) => (error.as_response_error().status_code(), Some(error)),
        };
        span.record("http.status_code", status.as_u16());
        let _entered = span.enter();
        match error {
            Some(error) if status.is_server_error() => tracing::error!(?error, "failed"),
            _ => tracing::info!("answered"),
        }
    }
}

/// Counts and times what was answered, by route and never by path, so that the number of series stays bounded.
pub(crate) async fn measure<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let begun = std::time::Instant::now();
    let method = known(request.method());
    let route = request.match_pattern().unwrap_or_else(|| "none".to_owned());
    let response = next.call(request).await;
    let status = match &response {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    let labels = [
        ("method", method.to_owned()),
        ("route", route),
        ("status", status.as_u16().to_string()),
    ];
    metrics::counter!("http_requests_total", &labels).increment(1);
    metrics::histogram!("http_request_duration_seconds", &labels).record(begun.elapsed().as_secs_f64());
    response
}

/// The method's name, unless somebody made it up.
fn known(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known
        .into_iter()
        .find(|known| *known == method.as_str())
        .unwrap_or("other")
}

/// The process's metrics, as Prometheus reads them.
pub(crate) fn metrics_text() -> String {
    let handle = recorder();
    handle.run_upkeep();
    handle.render()
}

/// The one recorder of the process, installed by the first who asks for it.
pub(crate) fn recorder() -> &'static PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| {
        const BUCKETS: [f64; 10] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0];
        let matcher = Matcher::Full("http_request_duration_seconds".to_owned());
        let builder = PrometheusBuilder::new();
        let recorder = builder
            .set_buckets_for_metric(matcher, &BUCKETS)
            .unwrap_or_default()
            .build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another metrics recorder is installed: /metrics stays empty");
        }
        handle
    })
}
