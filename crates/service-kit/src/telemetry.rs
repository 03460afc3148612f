//! What a service tells of itself: one line a request in the log, counters and timings for Prometheus.

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

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
