//! The services behind the gateway, and the connections to them.
//!
//! Each worker thread has its own connections. A connection has no task: the request that uses it drives it, and when the
//! response has passed, the connection waits in the pool. So a request causes no switch between tasks.

mod connection;
mod pool;

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};

use auth::Circuit;
use http::HeaderValue;
use tokio::time::Instant;
use url::{Host, Url};

pub(crate) use self::connection::{Connection, SendError};
pub(crate) use self::pool::Pool;
use crate::refusal::Refusal;

/// A service that the gateway forwards to.
#[derive(Debug)]
pub(crate) struct Upstream {
    /// The service's name in the registry.
    pub name: String,
    /// The service's origin.
    pub url: String,
    /// Where connections are opened. A name is resolved for each connection.
    host: String,
    port: u16,
    /// The `Host` of requests to the service.
    pub authority: HeaderValue,
    /// Stops requests to a failing service.
    circuit: Circuit,
    /// The position of the service's connections in each worker's pool.
    id: usize,
}

impl Upstream {
    /// A service at this origin, such as `http://127.0.0.1:8082`. `None` if the scheme is not `http`.
    pub(crate) fn new(name: &str, origin: &str) -> Option<Self> {
        static NEXT_ID: AtomicUsize = AtomicUsize::new(0);
        let url = Url::parse(origin).ok().filter(|url| url.scheme() == "http")?;
        let host = match url.host()? {
            Host::Domain(name) => name.to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        Some(Self {
            name: name.to_owned(),
            url: origin.to_owned(),
            host,
            port: url.port_or_known_default()?,
            authority: HeaderValue::from_str(url.authority()).ok()?,
            circuit: Circuit::default(),
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
        })
    }

    /// Refuses a request while the circuit is open.
    pub(crate) fn check_circuit(&self) -> Result<(), Refusal> {
        let admitted = self.circuit.admit(Instant::now());
        admitted.map_err(|remaining| Refusal::CircuitOpen {
            retry_after_seconds: remaining.as_secs() + 1,
        })
    }

    /// Notes that the service has answered.
    pub(crate) fn record_success(&self) {
        if self.circuit.record_success() {
            tracing::info!(service = self.name, "the service answers again");
        }
    }

    /// Logs and counts that the service has not answered. The circuit opens after several failures.
    pub(crate) fn record_failure(&self, failure: &dyn Error) {
        self.count_failure();
        tracing::warn!(service = self.name, %failure, "the service did not answer");
        if self.circuit.record_failure(Instant::now()) {
            tracing::error!(
                service = self.name,
                "the service failed repeatedly; requests to it are refused for a while"
            );
        }
    }

    /// Logs and counts that the body of a response has ended early.
    pub(crate) fn record_broken_body(&self, failure: &dyn Error) {
        self.count_failure();
        tracing::warn!(service = self.name, %failure, "the service did not complete a response");
    }

    fn count_failure(&self) {
        metrics::counter!("gateway_upstream_failures_total", "service" => self.name.clone()).increment(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_has_an_http_origin() {
        for (origin, host, port, authority) in [
            ("http://127.0.0.1:8082", "127.0.0.1", 8082, "127.0.0.1:8082"),
            ("http://[::1]:8082", "::1", 8082, "[::1]:8082"),
            ("http://products", "products", 80, "products"),
        ] {
            let upstream = Upstream::new("product-service", origin).unwrap();
            assert_eq!((upstream.host.as_str(), upstream.port), (host, port));
            assert_eq!(upstream.authority, authority);
        }
        assert!(Upstream::new("product-service", "https://products").is_none());
        assert!(Upstream::new("product-service", "products").is_none());
    }
}
