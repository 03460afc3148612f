//! The log and the metrics of a service.

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::Env;

/// Targets that are off unless `RUST_LOG` names them. actix-http logs each client that does not speak HTTP as an error, async-nats each
/// attempt to connect. The service logs these itself: clients at `debug`, and an outage of the broker once.
const QUIET: &str = "actix_http=off,async_nats=off";

/// The configuration of the log.
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
            .map_or_else(|| format!("{QUIET},info"), |filter| format!("{QUIET},{filter}"));
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

    /// Starts to log to standard error. Further calls in the same process have no effect.
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
            tracing::debug!("the log was started before");
        }
    }
}

/// The metrics of the process in the text format of Prometheus.
pub(crate) fn metrics_text() -> String {
    let handle = recorder();
    handle.run_upkeep();
    handle.render()
}

/// The recorder of the process. The first call installs it.
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

#[cfg(test)]
mod tests {
    use tracing::{Level, enabled};
    use tracing_subscriber::Registry;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    fn with_filter(rust_log: &[(&str, &str)], check: impl FnOnce()) {
        let telemetry = Telemetry::read(&mut Env::from_vars("test", rust_log.iter().copied()));
        let subscriber = Registry::default().with(EnvFilter::new(telemetry.filter));
        tracing::subscriber::with_default(subscriber, check);
    }

    #[test]
    fn clients_that_do_not_speak_http_cause_no_errors_in_the_log() {
        for rust_log in [&[][..], &[("RUST_LOG", "info")], &[("RUST_LOG", "debug")]] {
            with_filter(rust_log, || {
                assert!(!enabled!(target: "actix_http::h1::dispatcher", Level::ERROR));
                assert!(enabled!(target: "service_kit", Level::INFO));
            });
        }
    }

    #[test]
    fn rust_log_can_turn_the_http_library_on() {
        with_filter(&[("RUST_LOG", "info,actix_http=trace")], || {
            assert!(enabled!(target: "actix_http::h1::dispatcher", Level::TRACE));
        });
    }
}
