//! The common parts of outgoing HTTP requests, which call a service or fetch keys or tokens.

use std::error::Error;

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
