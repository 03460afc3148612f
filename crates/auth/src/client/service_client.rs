//! The client for calls to one neighbour.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Method, StatusCode};
use tokio::time::{Instant, timeout};

use super::client_state::ClientState;
use super::request::{ServiceRequest, X_SERVICE_NAME};
use super::response::CallError;

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

    /// Sends a `GET` request whose response is a stream without end, and returns when the response begins. A request whose token is
    /// refused is sent once more with a new token. There are no other retries, and the circuit does not count.
    pub(crate) async fn open_stream(
        &self,
        path: &str,
        headers: HeaderMap,
    ) -> Result<reqwest::Response, CallError> {
        let state = &self.state;
        let open = async {
            let mut token = state.tokens.current().await?;
            let mut was_token_replaced = false;
            loop {
                let response = state
                    .http
                    .get(self.url(path))
                    .headers(headers.clone())
                    .header(X_SERVICE_NAME, state.caller.clone())
                    .header(AUTHORIZATION, token.authorization.clone())
                    .send()
                    .await
                    .map_err(CallError::NoResponse)?;
                if response.status() != StatusCode::UNAUTHORIZED || was_token_replaced {
                    return Ok(response);
                }
                token = state.tokens.replace(&token).await?;
                was_token_replaced = true;
            }
        };
        timeout(state.timeout, open)
            .await
            .unwrap_or(Err(CallError::Timeout))
    }

    fn request(&self, method: Method, path: &str) -> ServiceRequest {
        ServiceRequest::new(Arc::clone(&self.state), method, self.url(path))
    }

    fn url(&self, path: &str) -> String {
        // Always put a slash after the origin. Without it a path such as `.example.com` would change the host.
        let path = path.strip_prefix('/').unwrap_or(path);
        format!("{}/{path}", self.state.origin)
    }
}
