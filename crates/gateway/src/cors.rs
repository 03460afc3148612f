//! Cross-origin resource sharing (Fetch standard §3.2): lets pages of `CORS_ORIGINS` read responses.

use auth::Origins;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use http::{Method, Response, StatusCode};

use crate::body::ResponseBody;
use crate::refusal::{METHODS, Refusal};

/// The request headers that the platform's API has. Browsers ask before they send any of them.
const REQUEST_HEADERS: &str = "authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id, traceparent, x-request-id";
/// The response headers that pages may read besides the safelisted ones.
const RESPONSE_HEADERS: &str =
    "etag, idempotent-replayed, location, retry-after, www-authenticate, x-request-id";
/// How long browsers may remember the answer to a preflight, in seconds.
const MAX_AGE_SECONDS: u32 = 600;

/// Answers a preflight: a browser's question whether a page may send a request.
pub(crate) fn preflight(
    method: &Method,
    headers: &HeaderMap,
    origins: &Origins,
) -> Option<Result<Response<ResponseBody>, Refusal>> {
    let origin = headers.get(ORIGIN)?;
    if method != Method::OPTIONS || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    if !origins.is_other(origin) {
        return Some(Err(Refusal::Origin));
    }
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(REQUEST_HEADERS),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS.into());
    Some(Ok(response))
}

/// Adds what lets the page that sent the request read the response. A service's own answers to that question are removed, since the
/// gateway decides.
pub(crate) fn add_headers(origin: Option<&HeaderValue>, origins: &Origins, headers: &mut HeaderMap) {
    for answer in [
        ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_ALLOW_CREDENTIALS,
        ACCESS_CONTROL_EXPOSE_HEADERS,
    ] {
        headers.remove(answer);
    }
    if !origins.has_others() {
        return;
    }
    // A cache must not give one origin's response to another.
    headers.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin.filter(|origin| origins.is_other(origin)) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(RESPONSE_HEADERS),
        );
    }
}
