//! Requests to a provider, which may be slow, broken or hostile: no redirects, and a bound on the length of each answer.

use std::error::Error as _;
use std::time::Duration;

use oauth2::{HttpRequest, HttpResponse};
use reqwest::{Request, StatusCode};
use serde::de::DeserializeOwned;
use service_kit::outgoing;
use url::Url;

use super::error::ProviderError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest answer. Google's are shorter than 4 KiB.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// An HTTP client of providers. Clones share their connections.
#[derive(Clone, Debug)]
pub(super) struct HttpClient(reqwest::Client);

impl HttpClient {
    /// # Errors
    /// If the TLS library can't be initialized.
    pub(super) fn new() -> Result<Self, reqwest::Error> {
        let client = outgoing::client_builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .build()?;
        Ok(Self(client))
    }

    /// The client itself, for the key sets that `auth` fetches.
    pub(super) fn inner(&self) -> reqwest::Client {
        self.0.clone()
    }

    /// `GET` of a JSON document, with this bearer token if there is one.
    pub(super) async fn get_json<T: DeserializeOwned>(
        &self,
        url: &Url,
        bearer_token: Option<&str>,
    ) -> Result<T, ProviderError> {
        let mut request = self.0.get(url.clone()).header("accept", "application/json");
        if let Some(token) = bearer_token {
            request = request.bearer_auth(token);
        }
        let (status, body) = read(request.send().await.map_err(|error| unavailable(&error))?).await?;
        require_ok(status, url)?;
        serde_json::from_slice(&body)
            .map_err(|error| ProviderError::Broken(format!("{url}: not the expected JSON: {error}")))
    }

    /// Sends a request of the crate `oauth2`.
    pub(super) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, ProviderError> {
        let request = Request::try_from(request).map_err(|error| ProviderError::Broken(error.to_string()))?;
        let url = request.url().clone();
        let response = self
            .0
            .execute(request)
            .await
            .map_err(|error| unavailable(&error))?;
        let headers = response.headers().clone();
        let (status, body) = read(response).await?;
        if status.is_server_error() {
            require_ok(status, &url)?;
        }
        let mut answer = HttpResponse::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        Ok(answer)
    }
}

/// Reads an answer, unless it is too long.
async fn read(response: reqwest::Response) -> Result<(StatusCode, Vec<u8>), ProviderError> {
    let (status, url) = (response.status(), response.url().clone());
    let body = outgoing::read_body(response, MAX_ANSWER_BYTES)
        .await
        .map_err(|error| unavailable(&error))?;
    match body {
        Some(body) => Ok((status, body)),
        None => Err(ProviderError::Broken(format!(
            "{url}: more than {MAX_ANSWER_BYTES} bytes"
        ))),
    }
}

fn require_ok(status: StatusCode, url: &Url) -> Result<(), ProviderError> {
    match status {
        StatusCode::OK => Ok(()),
        status if status.is_server_error() => {
            Err(ProviderError::Unavailable(format!("{url}: status {status}")))
        }
        status => Err(ProviderError::Broken(format!("{url}: status {status}"))),
    }
}

/// The provider can't be reached, or the connection broke.
fn unavailable(error: &reqwest::Error) -> ProviderError {
    // The text of the error itself names only the URL.
    let cause = std::iter::successors(error.source(), |error| (*error).source()).last();
    let cause = cause.map_or_else(|| error.to_string(), ToString::to_string);
    match error.url() {
        Some(url) => ProviderError::Unavailable(format!("{url}: {cause}")),
        None => ProviderError::Unavailable(cause),
    }
}
