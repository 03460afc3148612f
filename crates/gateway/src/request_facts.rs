//! Facts about a request that its head has: the host, the client's address, the scheme, the id.

use std::net::IpAddr;

use http::header::{CONNECTION, HOST, HeaderMap, HeaderValue, UPGRADE};
use http::uri::PathAndQuery;
use http::{Method, Request, Uri, Version};
use service_kit::{RequestId, is_host};
use uuid::Uuid;

use crate::headers::{X_FORWARDED_PROTO, X_REQUEST_ID};
use crate::refusal::Refusal;
use crate::worker::{Peer, Worker};

/// The host that the client named, in the request's target (absolute form, HTTP/2) or in `Host`. Empty if it is missing in
/// HTTP/1.0.
pub(crate) fn host(request: &Request<()>) -> Result<HeaderValue, Refusal> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (header, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        // RFC 9112 §3.2.
        return Err(Refusal::Host);
    }
    let host = match (request.uri().authority(), header) {
        // RFC 9113 §8.3.1. In HTTP/1.1 the target counts, and the header is ignored (RFC 9112 §3.2.2).
        (Some(authority), Some(host))
            if request.version() == Version::HTTP_2 && host.as_bytes() != authority.as_str().as_bytes() =>
        {
            return Err(Refusal::Host);
        }
        (Some(authority), _) => HeaderValue::from_str(authority.as_str()).map_err(|_| Refusal::Host)?,
        (None, Some(host)) => host.clone(),
        (None, None) if request.version() < Version::HTTP_11 => HeaderValue::from_static(""),
        (None, None) => return Err(Refusal::Host),
    };
    if is_host(host.as_bytes()) {
        Ok(host)
    } else {
        Err(Refusal::Host)
    }
}

/// The target of the request to the service: its path in normal form, and the query as the client sent it.
pub(crate) fn upstream_uri(path: String, query: Option<&str>) -> Result<Uri, Refusal> {
    let target = match query {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let target = PathAndQuery::from_maybe_shared(bytes::Bytes::from(target)).map_err(|_| Refusal::Path)?;
    Ok(Uri::from(target))
}

/// The client's address: the other end of the connection, or what trusted proxies say.
pub(crate) fn client_address(worker: &Worker, peer: Peer, headers: &HeaderMap) -> IpAddr {
    let lines = headers
        .get_all("x-forwarded-for")
        .iter()
        .map(HeaderValue::as_bytes);
    worker.gateway.trusted_proxies.client(peer.address, lines)
}

/// The scheme that the client used: that of the connection, or what a trusted proxy says. The proxy's own entry is the last one.
pub(crate) fn scheme(worker: &Worker, peer: Peer, headers: &HeaderMap) -> &'static str {
    let forwarded = headers
        .get_all(X_FORWARDED_PROTO)
        .iter()
        .next_back()
        .filter(|_| worker.gateway.trusted_proxies.include(peer.address));
    let is_https = match forwarded.map(HeaderValue::as_bytes) {
        Some(line) => {
            let last = line.rsplit(|byte| *byte == b',').next().unwrap_or_default();
            last.trim_ascii().eq_ignore_ascii_case(b"https")
        }
        None => peer.is_tls,
    };
    if is_https { "https" } else { "http" }
}

/// Whether the client asks to turn the connection into a WebSocket (RFC 6455 §4.1). No other protocol is passed on: HTTP/2 over an
/// upgraded connection would pass requests by the gateway's rules.
pub(crate) fn wants_web_socket(request: &Request<()>) -> bool {
    let headers = request.headers();
    let names = |value: &HeaderValue, wanted: &str| {
        let value = value.to_str().unwrap_or_default();
        value
            .split(',')
            .any(|name| name.trim().eq_ignore_ascii_case(wanted))
    };
    let mut protocols = headers.get_all(UPGRADE).iter();
    let is_web_socket = match (protocols.next(), protocols.next()) {
        (Some(protocol), None) => protocol.as_bytes().eq_ignore_ascii_case(b"websocket"),
        _ => false,
    };
    request.version() == Version::HTTP_11
        && request.method() == Method::GET
        && is_web_socket
        && headers
            .get_all(CONNECTION)
            .iter()
            .any(|value| names(value, "upgrade"))
}

/// The request's id: the client's own if it is plain, and otherwise a new one.
pub(crate) fn request_id(headers: &HeaderMap) -> HeaderValue {
    match headers.get(X_REQUEST_ID) {
        Some(id) if RequestId::is_plain(id.as_bytes()) => id.clone(),
        _ => {
            let mut buffer = Uuid::encode_buffer();
            let id: &str = Uuid::new_v4().hyphenated().encode_lower(&mut buffer);
            HeaderValue::from_str(id).unwrap_or(HeaderValue::from_static("none"))
        }
    }
}
