//! Builds a [`ServiceClient`].

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderValue;

use super::circuit::Circuit;
use super::client_state::ClientState;
use super::retry_budget::RetryBudget;
use super::service_client::ServiceClient;
use super::service_token::ServiceTokens;
use super::token_endpoint::ServiceCredentials;
use crate::outgoing;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(5);

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
    /// The neighbour's address is not an `http` or `https` origin. An origin has no path, query or fragment.
    ///
    /// The text names the neighbour and not the address, which may contain a password.
    #[error("the address of {0} is not an origin such as http://127.0.0.1:8084")]
    Origin(String),
    /// The URL of the token endpoint is not an `http` or `https` URL.
    #[error("the URL of the token endpoint is not an http or https URL")]
    TokenUrl,
    /// This service's name is not a valid header value.
    #[error("the name of the calling service is not a valid header value")]
    Name,
    /// The HTTP client can't be created, because the TLS library can't start.
    #[error("the HTTP client can't be created")]
    Client(#[source] reqwest::Error),
}

impl ServiceClient {
    /// Starts to build a client for calls to the service `audience` at this origin, such as `http://127.0.0.1:8084`.
    #[must_use]
    pub fn builder(credentials: &ServiceCredentials, audience: &str, origin: &str) -> ServiceClientBuilder {
        ServiceClientBuilder {
            credentials: credentials.clone(),
            audience: audience.to_owned(),
            origin: origin.to_owned(),
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
        let Some(origin) = parse_origin(&self.origin) else {
            return Err(ServiceClientError::Origin(self.audience));
        };
        if outgoing::http_url(&self.credentials.token_url).is_none() {
            return Err(ServiceClientError::TokenUrl);
        }

        let caller = HeaderValue::from_str(&self.credentials.name).map_err(|_| ServiceClientError::Name)?;

        let http = outgoing::client_builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map_err(ServiceClientError::Client)?;

        let tokens = ServiceTokens::new(http.clone(), self.credentials, &self.audience);
        Ok(ServiceClient {
            state: Arc::new(ClientState {
                audience: self.audience,
                origin,
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

/// The origin that this text names: scheme, host and optionally port, in the form of RFC 6454 §6.2, without a slash at the end.
/// `None` if the text is not an `http` or `https` URL, or contains more than an origin.
#[must_use]
pub fn parse_origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let origin = url.origin().ascii_serialization();
    let is_http = matches!(url.scheme(), "http" | "https");
    (is_http && url.as_str() == format!("{origin}/")).then_some(origin)
}
