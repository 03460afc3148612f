//! Cookies: which ones of a request reach the service, and which ones a service may set.

use auth::{AccessCookie, FoundCookie, Origins, RequestSource, cookie_pairs, find_cookie};
use http::Method;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, COOKIE, HeaderMap, HeaderName, HeaderValue, ORIGIN, SET_COOKIE,
};
use service_kit::CookieNames;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The path at which user-service ends sessions.
const LOGOUT: &str = "/auth/logout";
/// The service that opens sessions. Only this one may set the platform's cookies.
const SESSIONS: &str = "user-service";

/// The access cookie of a request.
pub(crate) fn access<'h>(headers: &'h HeaderMap, cookie: &AccessCookie) -> FoundCookie<'h> {
    find_cookie(values(headers), cookie.name())
}

/// The cookies that the service of a route receives, as the value of a `Cookie` header. Empty if there are none.
pub(crate) fn passed(headers: &HeaderMap, names: &[String]) -> String {
    let mut passed = String::new();
    if names.is_empty() {
        return passed;
    }
    let is_passed = |name: &str| names.iter().any(|passed| passed == name);
    for (name, value) in cookie_pairs(values(headers)) {
        // A cookie with other characters is not one of the platform's.
        if !name.is_ascii() || !value.is_ascii() {
            continue;
        }
        let (Ok(name), Ok(value)) = (str::from_utf8(name), str::from_utf8(value)) else {
            continue;
        };
        if is_passed(name) {
            let separator = if passed.is_empty() { "" } else { "; " };
            for part in [separator, name, "=", value] {
                passed.push_str(part);
            }
        }
    }
    passed
}

/// Removes a cookie from the browser, unless the response sets it. A cache must not give the response to others: they would lose their
/// cookies.
pub(crate) fn remove(headers: &mut HeaderMap, cookie: &AccessCookie) {
    let set = headers.get_all(SET_COOKIE).iter().map(HeaderValue::as_bytes);
    if let Some(Ok(removal)) = cookie.removal(set).map(HeaderValue::from_str) {
        headers.append(SET_COOKIE, removal);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// Whether this is a logout that removes the cookies also if the gateway itself refuses it, as user-service does: not one that a page of
/// another site causes. Such a page can't add `Authorization`.
pub(crate) fn is_logout(method: &Method, path: &str, headers: &HeaderMap, origins: &Origins) -> bool {
    method == Method::POST
        && path == LOGOUT
        && (headers.contains_key(AUTHORIZATION) || source(headers, origins) != RequestSource::Foreign)
}

/// Where a request comes from.
pub(crate) fn source(headers: &HeaderMap, origins: &Origins) -> RequestSource {
    let values = |name| headers.get_all(name).iter().map(HeaderValue::as_bytes);
    origins.source(values(SEC_FETCH_SITE), values(ORIGIN))
}

/// Removes the platform's cookies from the response of a service that must not set them. It could otherwise log users in with an
/// account of its choice.
pub(crate) fn protect_sessions(headers: &mut HeaderMap, service: &str) {
    let is_platforms = |value: &HeaderValue| CookieNames::include(name_set_by(value.as_bytes()));
    if service == SESSIONS || !headers.get_all(SET_COOKIE).iter().any(is_platforms) {
        return;
    }
    tracing::warn!(service, "a service may not set the platform's cookies");
    let own = headers.get_all(SET_COOKIE).iter();
    let kept: Vec<_> = own.filter(|value| !is_platforms(value)).cloned().collect();
    headers.remove(SET_COOKIE);
    headers.extend(kept.into_iter().map(|value| (SET_COOKIE, value)));
}

/// The name of the cookie that this value of `Set-Cookie` sets. If the name is empty, browsers send the value alone, which then looks
/// like a cookie with a name.
fn name_set_by(value: &[u8]) -> &[u8] {
    let pair = value.split(|byte| *byte == b';').next().unwrap_or_default();
    let mut parts = pair.split(|byte| *byte == b'=').map(<[u8]>::trim_ascii);
    parts.find(|part| !part.is_empty()).unwrap_or_default()
}

fn values(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_cookies_pass() {
        for (lines, expected) in [
            (&[][..], ""),
            (&["access=a.b.c"], ""),
            (
                &["one=1; x=2;access=\"a.b.c\"; two=3=4", "One=5; one=6"],
                "one=1; two=3=4; one=6",
            ),
            (&["one; =1; ;x"], ""),
            (&["city=Zürich; one=é; two=2"], "two=2"),
        ] {
            let headers = lines.iter().map(|line| (COOKIE, line.parse().unwrap())).collect();
            let names = ["one".to_owned(), "two".to_owned()];
            assert_eq!(passed(&headers, &names), expected, "{lines:?}");
        }
    }

    #[test]
    fn only_one_service_sets_the_platforms_cookies() {
        let lines = [
            "theme=dark; Path=/",
            "countersign_access=a; Path=/",
            " __Host-countersign-refresh =a; Secure; Path=/",
            "=countersign_login=a",
            "countersign_refresh",
            "countersign=a",
        ];
        let after = |service| {
            let mut headers = lines
                .iter()
                .map(|line| (SET_COOKIE, line.parse().unwrap()))
                .collect();
            protect_sessions(&mut headers, service);
            let kept = headers.get_all(SET_COOKIE).iter();
            kept.map(|value| value.to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(after("user-service"), lines);
        assert_eq!(after("product-service"), [lines[0], lines[5]]);
    }
}
