//! Requests to other servers. `auth` has the same functions, because it is published without this crate.

use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, Response};

/// The basis of an HTTP client that follows no redirect and uses no proxy of the environment: both could send a credential to
/// another host, or let another host answer (RFC 9700 §4.12).
pub fn client_builder() -> ClientBuilder {
    reqwest::Client::builder().redirect(Policy::none()).no_proxy()
}

/// Reads the body of a response. Returns `None` if it has more than `max_bytes`, so that the other server can't exhaust the memory.
///
/// # Errors
/// If the connection breaks, or the client's timeout passes.
pub async fn read_body(mut response: Response, max_bytes: usize) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > max_bytes {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}
