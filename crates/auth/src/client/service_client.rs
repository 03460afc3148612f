//! The client for calls to one neighbour.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use tokio::time::Instant;

use super::client_state::ClientState;
use super::request::ServiceRequest;

/// Calls one other service. Cheap to clone; clones share connections, token, circuit and retry budget.
///
/// - A request has a service token for the neighbour, this service's name, and the id and trace of the incoming request that
///   caused the call ([`TraceContext`](super::TraceContext)). The token is fetched on first use and renewed before it expires.
/// - A failed attempt is retried at most twice, and only if a retry is safe: the request was never sent, or it is idempotent
///   (RFC 9110 §9.2.2). Retries are limited to a tenth of the successful calls. A call whose token is refused is also
///   sent once more with a new token.
/// - Ten consecutive failures open the circuit: for five seconds all calls fail immediately.
/// - [`send`](ServiceRequest::send) always returns within the timeout.
///
/// ```no_run
/// use auth::{ServiceClient, ServiceCredentials};
///
/// # async fn example(secret: secrecy::SecretString) -> Result<(), Box<dyn std::error::Error>> {
/// let credentials = ServiceCredentials::new("order-service", secret, "http://127.0.0.1:8081/oauth/token");
/// let inventory = ServiceClient::builder(&credentials, "inventory-service", "http://127.0.0.1:8084").build()?;
/// let response = inventory.post("/reservations").json(&["…"]).idempotent().send().await?;
/// assert_eq!(response.status(), 201);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ServiceClient {
    pub(super) state: Arc<ClientState>,
}

impl ServiceClient {
    /// A `GET` request. The path begins with a slash and may have a query.
    pub fn get(&self, path: &str) -> ServiceRequest {
        self.request(Method::GET, path)
    }

    /// A `POST` request. A failed attempt is retried only if the request was never sent, unless the request is marked as
    /// [`idempotent`](ServiceRequest::idempotent).
    pub fn post(&self, path: &str) -> ServiceRequest {
        self.request(Method::POST, path)
    }

    /// A `PUT` request.
    pub fn put(&self, path: &str) -> ServiceRequest {
        self.request(Method::PUT, path)
    }

    /// A `DELETE` request.
    pub fn delete(&self, path: &str) -> ServiceRequest {
        self.request(Method::DELETE, path)
    }

    /// How much longer the circuit stays open, if it is open. Until then every call fails immediately.
    #[must_use]
    pub fn circuit_open_for(&self) -> Option<Duration> {
        self.state.circuit.remaining_open_time(Instant::now())
    }

    fn request(&self, method: Method, path: &str) -> ServiceRequest {
        // Always put a slash after the origin. Without it a path such as `.example.com` would change the host.
        let path = path.strip_prefix('/').unwrap_or(path);
        let url = format!("{}/{path}", self.state.origin);
        ServiceRequest::new(Arc::clone(&self.state), method, url)
    }
}
