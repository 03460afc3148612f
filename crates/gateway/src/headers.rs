//! The headers of requests and responses: which ones end at the gateway, and which ones the gateway adds.

mod forbidden;

use std::net::IpAddr;

use auth::{AuthError, User, bearer_token, is_trace_parent};
use http::Version;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VIA,
};
use uuid::Uuid;

use self::forbidden::is_forbidden;

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_USER_ID: HeaderName = HeaderName::from_static("x-user-id");
const X_USER_ROLE: HeaderName = HeaderName::from_static("x-user-role");
const X_USER_ROLES: HeaderName = HeaderName::from_static("x-user-roles");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

/// The headers of one connection, not of the message (RFC 9110 §7.6.1). `Expect` is answered by the gateway's own server.
static HOP_BY_HOP: [HeaderName; 10] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    EXPECT,
    HTTP2_SETTINGS,
];

/// Response headers that change how a browser uses the whole site. One service must not decide that for all.
const SITE_WIDE: [&str; 3] = ["alt-svc", "clear-site-data", "service-worker-allowed"];

/// Headers of requests that the option list of `Connection` can't remove. A client could otherwise make the gateway drop what the
/// service must see.
const PROTECTED: [&str; 7] = [
    "authorization",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "origin",
    "sec-fetch-site",
];

/// Facts about a request that the gateway passes on to the service in headers.
pub(crate) struct ForwardedFacts<'f> {
    pub user: Option<&'f User>,
    /// The highest of the user's roles.
    pub role: Option<&'f str>,
    pub client: IpAddr,
    /// The HTTP version that the client used.
    pub version: Version,
    /// The scheme that the client used.
    pub scheme: &'static str,
    /// The host that the client named.
    pub host: HeaderValue,
    pub request_id: HeaderValue,
    /// The host of the service.
    pub upstream_host: HeaderValue,
}

/// The maximum number of a request's headers, with all cookies as one. The gateway adds up to 11, and services accept 96.
pub(crate) const MAX_HEADERS: usize = 80;
/// The number of headers that the gateway adds to a request.
const ADDED_HEADERS: usize = 11;

/// Whether there are too many headers. Over HTTP/2, browsers send each cookie in its own field (RFC 9113 §8.2.3). The service receives at
/// most one.
pub(crate) fn are_too_many(headers: &HeaderMap) -> bool {
    headers.len() > MAX_HEADERS && {
        let cookies = headers.get_all(COOKIE).iter().count();
        headers.len() - cookies.saturating_sub(1) > MAX_HEADERS
    }
}

/// Removes the headers of the connection and those that clients must not set. If the connection can't become a WebSocket, the service
/// must not take the request for a handshake.
pub(crate) fn clean_request(headers: &mut HeaderMap, is_upgrade: bool) {
    merge_equal_lengths(headers);
    clean(headers, &PROTECTED, |name| {
        is_hop_by_hop(name)
            || is_forbidden(name.as_str())
            || !is_upgrade && name.as_str().starts_with("sec-websocket-")
    });
    // Once, instead of step by step.
    headers.reserve(ADDED_HEADERS);
}

/// An HTTP/2 client may repeat an equal length. The service must receive one.
fn merge_equal_lengths(headers: &mut HeaderMap) {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    if let (Some(length), Some(_)) = (lengths.next().cloned(), lengths.next()) {
        headers.insert(CONTENT_LENGTH, length);
    }
}

/// Leaves the credential and the cookies that the service receives. The token of the access cookie becomes a bearer token, if there is
/// no other.
pub(crate) fn set_credentials(
    headers: &mut HeaderMap,
    passed: Option<HeaderValue>,
    of_cookie: Option<HeaderValue>,
) {
    headers.remove(COOKIE);
    if let Some(passed) = passed {
        headers.insert(COOKIE, passed);
    }
    if let Some(bearer) = of_cookie
        && bearer_token_of(headers) == Err(AuthError::NoToken)
    {
        headers.insert(AUTHORIZATION, bearer);
    }
}

/// The value of `Authorization` with this token.
pub(crate) fn bearer(token: &[u8]) -> Option<HeaderValue> {
    HeaderValue::from_bytes(&[b"Bearer ", token].concat()).ok()
}

/// The bearer token as the service reads it. White space around a value is not part of it (RFC 9110 §5.5): the service's HTTP/1.1
/// parser removes it, and HTTP/2 clients can send it.
pub(crate) fn bearer_token_of(headers: &HeaderMap) -> Result<&[u8], AuthError> {
    let values = headers.get_all(AUTHORIZATION).iter();
    bearer_token(values.map(|value| value.as_bytes().trim_ascii()))
}

/// Removes the headers of the connection to the service.
pub(crate) fn clean_response(headers: &mut HeaderMap) {
    let protected = ["content-length", "content-type", "set-cookie", "cache-control"];
    clean(headers, &protected, |name| {
        is_hop_by_hop(name) || SITE_WIDE.contains(&name.as_str())
    });
}

/// Removes these headers and those that `Connection` names.
fn clean(headers: &mut HeaderMap, protected: &[&str], ends_here: impl Fn(&HeaderName) -> bool) {
    let removed: Vec<_> = headers.keys().filter(|name| ends_here(name)).cloned().collect();
    // As with most messages.
    if removed.is_empty() {
        return;
    }
    drop_length_of_chunked(headers);
    remove_connection_options(headers, protected);
    for name in removed {
        headers.remove(name);
    }
}

fn is_hop_by_hop(name: &HeaderName) -> bool {
    HOP_BY_HOP.contains(name)
}

/// `Transfer-Encoding` overrides `Content-Length`. A message must not be passed on with both (RFC 9112 §6.3).
fn drop_length_of_chunked(headers: &mut HeaderMap) {
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
}

/// Sets the headers by which the service knows the client and its request.
pub(crate) fn add_facts(headers: &mut HeaderMap, facts: ForwardedFacts<'_>) {
    if let Some(user) = facts.user {
        let mut buffer = Uuid::encode_buffer();
        let id: &str = user.id().hyphenated().encode_lower(&mut buffer);
        set(headers, X_USER_ID, id);
        if let Some(role) = facts.role {
            set(headers, X_USER_ROLE, role);
        }
        match user.roles() {
            [role] => set(headers, X_USER_ROLES, role),
            roles => set(headers, X_USER_ROLES, &roles.join(",")),
        }
    }
    set(headers, X_FORWARDED_FOR, &facts.client.to_string());
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(facts.scheme));
    headers.insert(X_FORWARDED_HOST, facts.host);
    headers.insert(X_REQUEST_ID, facts.request_id);
    headers.insert(HOST, facts.upstream_host);
    headers.append(VIA, via(facts.version));
    ensure_trace(headers);
}

/// The gateway's entry in `Via`, with the version in which it received the request (RFC 9110 §7.6.3).
fn via(version: Version) -> HeaderValue {
    HeaderValue::from_static(match version {
        Version::HTTP_2 => "2 countersign",
        Version::HTTP_11 => "1.1 countersign",
        _ => "1.0 countersign",
    })
}

/// Inserts a header, if the text can be the value of one. Roles are checked when the register of roles is read.
fn set(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// Keeps a valid `traceparent`, and otherwise begins a trace (W3C Trace Context §4.3).
fn ensure_trace(headers: &mut HeaderMap) {
    let mut traces = headers.get_all(&TRACEPARENT).iter();
    let is_valid = match (traces.next(), traces.next()) {
        (Some(trace), None) => trace.to_str().is_ok_and(is_trace_parent),
        _ => false,
    };
    if is_valid {
        return;
    }
    headers.remove(&TRACESTATE);
    set(headers, TRACEPARENT, &new_trace_parent());
}

/// A `traceparent` with random ids (W3C Trace Context §3.2).
fn new_trace_parent() -> String {
    let (mut trace, mut span) = (Uuid::encode_buffer(), Uuid::encode_buffer());
    let trace = Uuid::new_v4().simple().encode_lower(&mut trace);
    // The second half of a random UUID: the first bits of that half are fixed, so it is never zero.
    let span = Uuid::new_v4().simple().encode_lower(&mut span);
    let span = span.get(16..).unwrap_or_default();
    ["00", trace, span, "00"].join("-")
}

/// Removes the headers that `Connection` names, except for those that it must not name.
fn remove_connection_options(headers: &mut HeaderMap, protected: &[&str]) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        // As bytes, because one byte beyond ASCII must not hide the other names.
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|option| HeaderName::from_bytes(option.trim_ascii()).ok())
        .filter(|name| !protected.contains(&name.as_str()))
        .collect();
    for name in named {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
            .collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn identity_headers_are_removed_in_every_spelling() {
        let mut headers = map(&[
            ("accept", "a"),
            ("authorization", "Bearer a"),
            ("x-custom", "a"),
            ("X-User-Id", "a"),
            ("x_user_id", "a"),
            ("X-User_Role", "a"),
            ("x.user.roles", "a"),
            ("x~user!id", "a"),
            ("x-user-anything", "a"),
            ("X-Service-Name", "a"),
            ("x-internal-token", "a"),
            ("x-countersign-identity", "a"),
            ("Forwarded", "for=a"),
            ("x-forwarded-for", "a"),
            ("x_forwarded_proto", "a"),
            ("x-real-ip", "a"),
            ("true-client-ip", "a"),
            ("x-original-url", "/internal"),
            ("X-HTTP-Method-Override", "DELETE"),
        ]);
        clean_request(&mut headers, false);
        assert_eq!(names(&headers), ["accept", "authorization", "x-custom"]);
    }

    #[test]
    fn headers_of_the_connection_are_removed_with_those_that_it_names() {
        let mut headers = map(&[
            ("connection", "x-one, Keep-Alive ,upgrade"),
            ("connection", "authorization, content-length,, x-request-id"),
            ("x-one", "a"),
            ("x-two", "a"),
            ("keep-alive", "a"),
            ("upgrade", "h2c"),
            ("http2-settings", "a"),
            ("sec-websocket-key", "a"),
            ("te", "trailers"),
            ("trailer", "a"),
            ("expect", "100-continue"),
            ("proxy-authorization", "a"),
            ("proxy-connection", "a"),
            ("authorization", "a"),
            ("content-length", "1"),
            ("x-request-id", "a"),
        ]);
        clean_request(&mut headers, false);
        assert_eq!(names(&headers), ["authorization", "content-length", "x-two"]);
    }

    #[test]
    fn white_space_around_the_value_is_not_part_of_the_bearer_token() {
        for value in [
            "Bearer a.b.c",
            " Bearer a.b.c",
            "bearer a.b.c \t",
            "\tBEARER a.b.c",
        ] {
            let headers = map(&[("authorization", value)]);
            assert_eq!(bearer_token_of(&headers), Ok(&b"a.b.c"[..]), "{value:?}");
        }
    }

    #[test]
    fn a_byte_beyond_ascii_in_connection_hides_no_other_name() {
        let mut headers = map(&[("x-one", "a"), ("x-two", "a")]);
        let options = HeaderValue::from_bytes(b"\xff, x-one, x\xff").unwrap();
        headers.insert(CONNECTION, options);
        clean_request(&mut headers, false);
        assert_eq!(names(&headers), ["x-two"]);
    }

    fn facts(user: Option<&User>) -> ForwardedFacts<'_> {
        ForwardedFacts {
            user,
            role: Some("admin"),
            client: "203.0.113.7".parse().unwrap(),
            version: Version::HTTP_2,
            scheme: "https",
            host: HeaderValue::from_static("shop.example"),
            request_id: HeaderValue::from_static("an-id"),
            upstream_host: HeaderValue::from_static("products:8082"),
        }
    }

    #[test]
    fn the_service_receives_what_the_gateway_knows() {
        let user = auth::testing::Issuer::new("a").as_admin().user();
        let mut headers = map(&[("host", "shop.example"), ("tracestate", "a=b")]);
        add_facts(&mut headers, facts(Some(&user)));
        for (name, value) in [
            ("x-user-id", user.id().to_string().as_str()),
            ("x-user-role", "admin"),
            ("x-user-roles", "user,admin"),
            ("x-forwarded-for", "203.0.113.7"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "shop.example"),
            ("x-request-id", "an-id"),
            ("via", "2 countersign"),
            ("host", "products:8082"),
        ] {
            assert_eq!(headers.get(name).unwrap(), value);
        }
        assert!(headers.get("tracestate").is_none());
        assert!(is_trace_parent(
            headers.get("traceparent").unwrap().to_str().unwrap()
        ));

        let mut headers = HeaderMap::new();
        add_facts(&mut headers, facts(None));
        assert!(headers.keys().all(|name| !name.as_str().starts_with("x-user-")));
    }

    #[test]
    fn only_one_valid_trace_is_passed_on() {
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let after = |traces: &[&str]| {
            let mut headers = map(&[("tracestate", "a=b")]);
            headers.extend(traces.iter().map(|trace| (TRACEPARENT, trace.parse().unwrap())));
            add_facts(&mut headers, facts(None));
            let values: Vec<_> = headers.get_all("traceparent").iter().cloned().collect();
            assert_eq!(values.len(), 1);
            (values[0] == trace, headers.contains_key("tracestate"))
        };
        assert_eq!(after(&[trace]), (true, true));
        for invalid in [&["00-1-2-3"][..], &[], &[trace, trace]] {
            let (is_kept, has_state) = after(invalid);
            assert!(!is_kept && !has_state, "{invalid:?}");
        }
    }
}
