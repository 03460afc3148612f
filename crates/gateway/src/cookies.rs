//! Cookies: which ones of a request reach the service, and which ones a service may set.

use auth::{
    AccessCookie, CarriedCookies, CookieRemoval, FoundCookie, Origins, RequestSource, cookie_pairs,
    find_cookie,
};
use http::Method;
use http::header::{CACHE_CONTROL, COOKIE, HeaderMap, HeaderName, HeaderValue, ORIGIN, SET_COOKIE};
use service_kit::CookieNames;

use crate::headers::bearer_token_of;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The path at which user-service ends sessions.
const LOGOUT: &str = "/auth/logout";
/// The service that opens sessions. Only this one may set the platform's cookies.
const USER_SERVICE: &str = "user-service";

/// The access cookie of a request.
pub(crate) fn access<'h>(headers: &'h HeaderMap, cookie: &AccessCookie) -> FoundCookie<'h> {
    find_cookie(values(headers), cookie.name())
}

/// The cookies that the service of a route receives, as the value of a `Cookie` header. `None` if there are none.
pub(crate) fn passed(headers: &HeaderMap, names: &[String]) -> Option<HeaderValue> {
    if names.is_empty() {
        return None;
    }
    let mut passed = Vec::new();
    let is_passed = |name: &[u8]| names.iter().any(|passed| passed.as_bytes() == name);
    for (name, value) in cookie_pairs(values(headers)) {
        if is_passed(name) {
            let separator: &[u8] = if passed.is_empty() { b"" } else { b"; " };
            for part in [separator, name, b"=", value] {
                passed.extend_from_slice(part);
            }
        }
    }
    // The parts come from headers, so together they are a valid value.
    HeaderValue::from_bytes(&passed)
        .ok()
        .filter(|passed| !passed.is_empty())
}

/// How the cross-site rule sees the cookies that pass. user-service knows which of the platform's cookies count, and itself refuses a
/// request that does not prove where it comes from. Any other cookie counts in every form, since its service may read the first of two.
pub(crate) fn carried(passed: Option<&HeaderValue>) -> CarriedCookies {
    let Some(passed) = passed else {
        return CarriedCookies::None;
    };
    if cookie_pairs([passed.as_bytes()]).all(|(name, _)| CookieNames::include(name)) {
        CarriedCookies::Unusable
    } else {
        CarriedCookies::Usable
    }
}

/// Removes a cookie from the browser, unless the response sets it. A cache must not give the response to others: they would lose their
/// cookies.
pub(crate) fn remove(headers: &mut HeaderMap, removal: &CookieRemoval) {
    let set = headers.get_all(SET_COOKIE).iter().map(HeaderValue::as_bytes);
    if let Some(Ok(removal)) = removal.unless_set(set).map(HeaderValue::from_str) {
        headers.append(SET_COOKIE, removal);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// Whether this is a logout that removes the cookies also if it fails, as user-service does: not one that a page of another site causes.
/// Such a page can't add a bearer token, and browsers don't add one themselves, as they do with HTTP Basic and Negotiate.
pub(crate) fn is_logout(method: &Method, path: &str, headers: &HeaderMap, origins: &Origins) -> bool {
    method == Method::POST
        && path == LOGOUT
        && (bearer_token_of(headers).is_ok() || source(headers, origins) != RequestSource::Foreign)
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
    if service == USER_SERVICE || !headers.get_all(SET_COOKIE).iter().any(is_platforms) {
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
            (&["city=Zürich; one=é; two=2"], "one=é; two=2"),
            (&["one=é; one=1"], "one=é; one=1"),
        ] {
            let headers = lines
                .iter()
                .map(|line| (COOKIE, HeaderValue::from_bytes(line.as_bytes()).unwrap()));
            let names = ["one".to_owned(), "two".to_owned()];
            let passed = passed(&headers.collect(), &names);
            let text = passed.as_ref().map_or(&b""[..], HeaderValue::as_bytes);
            assert_eq!(str::from_utf8(text).unwrap(), expected, "{lines:?}");
        }
    }

    #[test]
    fn cookies_of_the_platform_are_left_to_user_service_and_others_count_in_every_form() {
        for (passed, expected) in [
            (None, CarriedCookies::None),
            (Some("countersign_refresh=r"), CarriedCookies::Unusable),
            (
                Some("countersign_refresh=r; countersign_login="),
                CarriedCookies::Unusable,
            ),
            (Some("cart=1"), CarriedCookies::Usable),
            (Some("cart="), CarriedCookies::Usable),
            (Some("countersign_refresh=r; cart=1"), CarriedCookies::Usable),
        ] {
            let value = passed.map(HeaderValue::from_static);
            assert_eq!(carried(value.as_ref()), expected, "{passed:?}");
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
