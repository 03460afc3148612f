//! Builds a [`ServiceClient`].

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderValue;

use super::circuit::Circuit;
use super::neighbour::Neighbour;
use super::retry_budget::RetryBudget;
use super::service_client::ServiceClient;
use super::service_token::ServiceTokens;
use super::token_endpoint::ServiceCredentials;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(5);
/// Shorter than the keep-alive of servers, so that they seldom close a connection while a request is on its way.
const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);

/// Builds a [`ServiceClient`].
#[derive(Debug)]
pub struct ServiceClientBuilder {
    credentials: ServiceCredentials,
    audience: String,
    origin: String,
    attempt_timeout: Duration,
    timeout: Duration,
}

/// Why a client can't be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceClientError {
    /// The neighbour's origin or the token endpoint is not an `http` or `https` URL.
    #[error("not an http or https URL")]
    Url,
    /// This service's name is not a valid header value.
    #[error("not a valid service name")]
    Name,
    /// The HTTP client can't be created, because the TLS library can't start.
    #[error("the HTTP client can't be created")]
    Client(#[source] reqwest::Error),
}

impl ServiceClient {
    /// Starts to build a client of the service `audience` at this origin, such as `http://127.0.0.1:8084`.
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
}

impl ServiceClientBuilder {
    /// The timeout of a call, including retries and the wait for a token. Defaults to 5 seconds.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The timeout of one attempt. Defaults to 3 seconds.
    #[must_use]
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = timeout;
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    /// If a URL or this service's name is invalid, or the TLS library can't start.
    pub fn build(self) -> Result<ServiceClient, ServiceClientError> {
        for url in [&self.origin, &self.credentials.token_url] {
            let url = Url::parse(url).map_err(|_| ServiceClientError::Url)?;
            if !matches!(url.scheme(), "http" | "https") {
                return Err(ServiceClientError::Url);
            }
        }
        let caller = HeaderValue::from_str(&self.credentials.name).map_err(|_| ServiceClientError::Name)?;
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_CONNECTION_TIMEOUT)
            // A redirect, or a proxy of the environment, would send the token to another host.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(ServiceClientError::Client)?;
        let tokens = ServiceTokens::new(http.clone(), self.credentials, &self.audience);
        Ok(ServiceClient {
            neighbour: Arc::new(Neighbour {
                audience: self.audience,
                origin: self.origin,
                caller,
                http,
                tokens,
                circuit: Circuit::default(),
                retry_budget: RetryBudget::default(),
                attempt_timeout: self.attempt_timeout,
                timeout: self.timeout,
            }),
        })
    }
}
