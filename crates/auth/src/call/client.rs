//! A client for one neighbour.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{Method, Url};
use tokio::time::Instant;

use super::circuit::Circuit;
use super::request::ServiceRequest;
use super::retry::Budget;
use super::token::{ServiceCredentials, Tokens};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(5);
/// Shorter than servers keep a connection, so that it is seldom closed while a request is on its way.
const IDLE_CONNECTION: Duration = Duration::from_secs(30);

/// Calls one other service as this one. Cheap to clone; clones share connections, token, circuit and budget.
///
/// A call bears a service token for that audience, which is fetched on first use and renewed before it ends; this service's
/// name; and the id and trace of the request that it is made for ([`TraceContext`](super::TraceContext)). Where no answer comes,
/// it is made again, at most twice more, if that can do no harm: it was never sent, or it is idempotent (RFC 9110 §9.2.2). After
/// ten failures in a row the neighbour is left alone for five seconds. Whatever happens, [`send`](ServiceRequest::send) ends
/// within the timeout.
///
/// ```no_run
/// use auth::{ServiceClient, ServiceCredentials};
///
/// # async fn example(secret: secrecy::SecretString) -> Result<(), Box<dyn std::error::Error>> {
/// let credentials = ServiceCredentials::new("order-service", secret, "http://127.0.0.1:8081/oauth/token");
/// let inventory = ServiceClient::builder(&credentials, "inventory-service", "http://127.0.0.1:8084").build()?;
/// let answer = inventory.post("/reservations").json(&["…"]).idempotent().send().await?;
/// assert_eq!(answer.status(), 201);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ServiceClient {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub audience: String,
    pub origin: String,
    pub name: HeaderValue,
    pub http: reqwest::Client,
    pub tokens: Tokens,
    pub circuit: Circuit,
    pub budget: Budget,
    pub attempt_timeout: Duration,
    pub timeout: Duration,
}

/// A [`ServiceClient`] in the making.
#[derive(Debug)]
pub struct ServiceClientBuilder {
    credentials: ServiceCredentials,
    audience: String,
    origin: String,
    attempt_timeout: Duration,
    timeout: Duration,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ServiceClientError {
    /// The neighbour's origin, or the token endpoint's URL, is not an http or https URL.
    #[error("not an http or https URL")]
    Url,
    /// The service's own name can't stand in a header.
    #[error("not a service's name")]
    Name,
    /// The TLS library can't be started.
    #[error("no HTTP client")]
    Client(#[source] reqwest::Error),
}

impl ServiceClient {
    /// Begins a client of the service of this audience at this origin (`http://127.0.0.1:8084`).
    #[must_use]
    pub fn builder(credentials: &ServiceCredentials, audience: &str, origin: &str) -> ServiceClientBuilder {
        ServiceClientBuilder {
            credentials: credentials.clone(),
            audience: audience.to_owned(),
            origin: origin.trim_end_matches('/').to_owned(),
            attempt_timeout: ATTEMPT_TIMEOUT,
            timeout: TIMEOUT,
        }
    }

    /// `GET`. A path begins with a slash, and may have a query.
    pub fn get(&self, path: &str) -> ServiceRequest {
        self.request(Method::GET, path)
    }

    /// `POST`, which is made again only where it was never sent, unless it is said to be
    /// [`idempotent`](ServiceRequest::idempotent).
    pub fn post(&self, path: &str) -> ServiceRequest {
        self.request(Method::POST, path)
    }

    /// `PUT`.
    pub fn put(&self, path: &str) -> ServiceRequest {
        self.request(Method::PUT, path)
    }

    /// `DELETE`.
    pub fn delete(&self, path: &str) -> ServiceRequest {
        self.request(Method::DELETE, path)
    }

    /// For how long the neighbour is left alone, if it is: until then every call fails at once.
    #[must_use]
    pub fn circuit_open_for(&self) -> Option<Duration> {
        self.shared.circuit.open_for(Instant::now())
    }

    fn request(&self, method: Method, path: &str) -> ServiceRequest {
        // The slash ends the origin: what follows can't lead to another one, with the token.
        let url = format!(
            "{}/{}",
            self.shared.origin,
            path.strip_prefix('/').unwrap_or(path)
        );
        ServiceRequest::new(Arc::clone(&self.shared), method, url)
    }
}

impl ServiceClientBuilder {
    /// How long a call may take in all, its repetitions and the wait for a token included. 5 seconds, unless said otherwise.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long the neighbour may take to answer once. 3 seconds, unless said otherwise.
    #[must_use]
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = timeout;
        self
    }

    /// The client.
    ///
    /// # Errors
    /// When a URL or the name is of no use, or the TLS library can't be started.
    pub fn build(self) -> Result<ServiceClient, ServiceClientError> {
        for url in [&self.origin, &self.credentials.token_url] {
            let url = Url::parse(url).map_err(|_| ServiceClientError::Url)?;
            if !matches!(url.scheme(), "http" | "https") {
                return Err(ServiceClientError::Url);
            }
        }
        let name = HeaderValue::from_str(&self.credentials.name).map_err(|_| ServiceClientError::Name)?;
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_CONNECTION)
            // Where a call goes is the operator's word, not the neighbour's, and not that of a proxy that the environment names:
            // both would get the token.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(ServiceClientError::Client)?;
        let tokens = Tokens::new(http.clone(), self.credentials, &self.audience);
        Ok(ServiceClient {
            shared: Arc::new(Shared {
                audience: self.audience,
                origin: self.origin,
                name,
                http,
                tokens,
                circuit: Circuit::default(),
                budget: Budget::default(),
                attempt_timeout: self.attempt_timeout,
                timeout: self.timeout,
            }),
        })
    }
}
