//! The common parts of outgoing HTTP requests, which call a service or fetch keys or tokens.

use std::error::Error;
use std::time::Duration;

#[cfg(feature = "client")]
use reqwest::RequestBuilder;
use reqwest::Url;
#[cfg(feature = "client")]
use secrecy::{ExposeSecret as _, SecretString};
#[cfg(feature = "client")]
use url::form_urlencoded;

/// Shorter than the keep-alive of the services, so that a service seldom closes a connection to which a request is being sent.
const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);

/// The authorization server may start at the same time as this program, so that it does not answer yet is no reason for a warning.
pub(crate) const SILENT_AT_START: Duration = Duration::from_secs(5);

/// The basis of each HTTP client. A redirect, or a proxy configured in the environment, would send a credential to another host,
/// or let another host answer.
pub(crate) fn client_builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .pool_idle_timeout(IDLE_CONNECTION_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
}

/// The URL, if the text is an absolute `http` or `https` URL.
pub(crate) fn http_url(text: &str) -> Option<Url> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
}

#[cfg(feature = "client")]
/// Authenticates a client by HTTP Basic. RFC 6749 §2.3.1: name and secret are form-encoded before they are encoded as base64.
pub(crate) fn with_basic_auth(request: RequestBuilder, name: &str, secret: &SecretString) -> RequestBuilder {
    let form_encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    request.basic_auth(form_encode(name), Some(form_encode(secret.expose_secret())))
}

/// Reads the body of a response. Returns `None` if the body has more than `max_bytes`, so that another program can't exhaust this
/// program's memory.
pub(crate) async fn read_body(
    mut response: reqwest::Response,
    max_bytes: usize,
) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > max_bytes {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// The text of the error's innermost source, if it has a source. The text of a `reqwest` error itself names only the URL.
pub(crate) fn innermost_cause(error: &reqwest::Error) -> Option<String> {
    std::iter::successors(error.source(), |error| (*error).source())
        .last()
        .map(ToString::to_string)
}
