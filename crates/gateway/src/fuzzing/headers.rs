//! Headers of requests and responses: what must not pass, passes in no spelling, and everything else passes unchanged.

use std::net::{IpAddr, Ipv4Addr};

use auth::is_trace_parent;
use http::Version;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, LOCATION, TRANSFER_ENCODING};

use super::{TABLE, credentials, read_headers};
use crate::forward::rewrite_location;
use crate::headers::{ForwardedFacts, add_facts, clean_request, clean_response};

/// RFC 9110 §7.6.1, and the headers of other standards that concern one connection.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "http2-settings",
];
/// Headers that `Connection` must not remove.
const PROTECTED_IN_REQUESTS: [&str; 7] = [
    "authorization",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "origin",
    "sec-fetch-site",
];
const PROTECTED_IN_RESPONSES: [&str; 4] = ["content-length", "content-type", "set-cookie", "cache-control"];
/// The beginnings of names by which services or proxies identify callers.
const IDENTITY: [&str; 5] = [
    "x-user-",
    "x-internal-",
    "x-service-",
    "x-forwarded-",
    "x-countersign-",
];
/// The maximum number of headers that services accept.
const MAX_RECEIVED: usize = 96;

/// The first byte says whether the connection can become a WebSocket: `u`. The rest has lines `name: value`.
pub fn request_headers(input: &[u8]) {
    let [first, lines @ ..] = input else { return };
    let is_upgrade = *first == b'u';
    let Some(mut headers) = read_headers(lines) else {
        return;
    };
    credentials::check(&mut headers);
    let before = headers.clone();
    clean_request(&mut headers, is_upgrade);
    check_clean(&before, &headers, &PROTECTED_IN_REQUESTS);
    for name in headers.keys() {
        let spelled = spelling(name);
        assert!(
            !IDENTITY.iter().any(|prefix| spelled.starts_with(prefix)),
            "{name}"
        );
        assert!(
            is_upgrade || !name.as_str().starts_with("sec-websocket-"),
            "{name}"
        );
    }
    assert!(headers.get_all(CONTENT_LENGTH).iter().count() <= 1);
    let mut again = headers.clone();
    clean_request(&mut again, is_upgrade);
    assert_eq!(again, headers, "cleaned twice");

    add_facts(&mut headers, facts());
    for (name, value) in [
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "shop.example"),
        ("x-request-id", "an-id"),
        ("host", "service:1"),
    ] {
        let values: Vec<_> = headers.get_all(name).iter().collect();
        assert_eq!(values, [value], "{name}");
    }
    assert!(headers.keys().all(|name| !spelling(name).starts_with("x-user-")));
    let traces: Vec<_> = headers.get_all("traceparent").iter().collect();
    assert!(traces.len() == 1 && is_trace_parent(traces[0].to_str().expect("a trace")));
    assert!(headers.len() <= MAX_RECEIVED);
}

/// The input has lines `name: value`.
pub fn response_headers(input: &[u8]) {
    let Some(mut headers) = read_headers(input) else {
        return;
    };
    let before = headers.clone();
    clean_response(&mut headers);
    check_clean(&before, &headers, &PROTECTED_IN_RESPONSES);
    for name in ["alt-svc", "clear-site-data", "service-worker-allowed"] {
        assert!(!headers.contains_key(name), "{name}");
    }
    let mut again = headers.clone();
    clean_response(&mut again);
    assert_eq!(again, headers, "cleaned twice");

    for upstream in TABLE.upstreams() {
        let mut rewritten = headers.clone();
        rewrite_location(&mut rewritten, &TABLE, upstream);
        if rewritten != headers {
            let location = rewritten
                .get(LOCATION)
                .and_then(|location| location.to_str().ok())
                .expect("text");
            assert!(
                location.starts_with('/') && !location.starts_with("//"),
                "{location}"
            );
            rewritten.remove(LOCATION);
            headers.remove(LOCATION);
            assert_eq!(rewritten, headers);
            return;
        }
    }
}

fn facts() -> ForwardedFacts<'static> {
    ForwardedFacts {
        user: None,
        role: None,
        client: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)),
        version: Version::HTTP_11,
        scheme: "https",
        host: HeaderValue::from_static("shop.example"),
        request_id: HeaderValue::from_static("an-id"),
        upstream_host: HeaderValue::from_static("service:1"),
    }
}

/// A name as servers read it that turn all punctuation into one character.
fn spelling(name: &HeaderName) -> String {
    name.as_str()
        .replace(|char: char| !char.is_ascii_alphanumeric(), "-")
}

/// Checks that the headers of the connection and those that it names are gone, and that all others are as before.
fn check_clean(before: &HeaderMap, after: &HeaderMap, protected: &[&str]) {
    let named = connection_options(before);
    for name in after.keys() {
        assert!(!HOP_BY_HOP.contains(&name.as_str()), "{name}");
        let is_named = named.iter().any(|named| named == name.as_str());
        assert!(
            !is_named || protected.contains(&name.as_str()),
            "{name} is named by Connection"
        );
        if name != CONTENT_LENGTH {
            let values = |headers: &HeaderMap| headers.get_all(name).iter().cloned().collect::<Vec<_>>();
            assert_eq!(values(after), values(before), "{name}");
        }
    }
    for name in before.keys() {
        // Of the other letters, some names are removed by other rules.
        let is_plain = name
            .as_str()
            .starts_with(['a', 'b', 'd', 'g', 'h', 'i', 'l', 'm', 'n', 'o', 'v'])
            && !HOP_BY_HOP.contains(&name.as_str())
            && !named.iter().any(|named| named == name.as_str())
            && name != "alt-svc";
        assert!(!is_plain || after.contains_key(name), "{name} is missing");
    }
    assert!(
        !before.contains_key(TRANSFER_ENCODING) || !after.contains_key(CONTENT_LENGTH),
        "two lengths"
    );
}

/// The names in `Connection`, in lower case.
fn connection_options(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all("connection").iter().map(HeaderValue::as_bytes);
    lines
        .flat_map(|line| line.split(|byte| *byte == b','))
        .map(|option| String::from_utf8_lossy(option.trim_ascii()).to_ascii_lowercase())
        .collect()
}
