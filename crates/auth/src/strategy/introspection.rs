//! Asks the authorization server whether a token is active (RFC 7662).

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{StatusCode, Url};
use secrecy::SecretString;
use serde::Deserialize;
use url::form_urlencoded;

use crate::{json_object, outgoing};

const TIMEOUT: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// The introspection endpoint (RFC 7662), and the client that asks there. Clones share connections.
#[derive(Clone, Debug)]
pub struct Introspection {
    url: Url,
    client_id: String,
    secret: SecretString,
    http: reqwest::Client,
    timeout: Duration,
}

/// Why [`Introspection::at`] fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IntrospectionError {
    /// Not an absolute `http` or `https` URL.
    #[error("the URL {0:?} of the introspection endpoint is not an http or https URL")]
    Url(String),
    /// The HTTP client can't be created.
    #[error("the HTTP client can't be created")]
    Client(#[source] reqwest::Error),
}

/// Why it is unknown whether a token is active.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error("{}", outgoing::innermost_cause(.0).unwrap_or_else(|| .0.to_string()))]
    Http(#[from] reqwest::Error),
    #[error("status {0}")]
    Status(StatusCode),
    #[error("the response is not an introspection response")]
    InvalidResponse,
}

/// An introspection response (RFC 7662 §2.2). The claims in it are not used, because the token has them.
#[derive(Deserialize)]
struct Response {
    active: bool,
}

impl Introspection {
    /// The endpoint at this URL. The client authenticates with its secret by HTTP Basic (RFC 6749 §2.3.1).
    ///
    /// Redirects are not followed, and proxies configured in the environment are ignored: both could decide in place of the
    /// server.
    ///
    /// # Errors
    /// If `url` is not an absolute `http` or `https` URL, or the TLS library can't start.
    pub fn at(
        url: &str,
        client_id: impl Into<String>,
        secret: SecretString,
    ) -> Result<Self, IntrospectionError> {
        let url = outgoing::http_url(url).ok_or_else(|| IntrospectionError::Url(url.to_owned()))?;
        let http = outgoing::client_builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map_err(IntrospectionError::Client)?;
        Ok(Self {
            url,
            client_id: client_id.into(),
            secret,
            http,
            timeout: TIMEOUT,
        })
    }

    /// How long a request may wait for the answer. Defaults to 2 seconds.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Whether the token is active now.
    pub(crate) async fn is_active(&self, token: &[u8]) -> Result<bool, NoAnswer> {
        let token: String = form_urlencoded::byte_serialize(token).collect();
        let request = self
            .http
            .post(self.url.clone())
            .timeout(self.timeout)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(format!("token={token}"));
        let response = outgoing::with_basic_auth(request, &self.client_id, &self.secret)
            .send()
            .await?;
        if response.status() != StatusCode::OK {
            return Err(NoAnswer::Status(response.status()));
        }
        let body = outgoing::read_body(response, MAX_RESPONSE_BYTES).await?;
        let response: Option<Response> = body.and_then(|body| json_object::parse(&body));
        response
            .map(|response| response.active)
            .ok_or(NoAnswer::InvalidResponse)
    }
}
