//! The cross-site rule. Browsers add cookies to requests that pages of other sites cause, so a cookie alone does not prove that the
//! user wanted the request (CSRF). WebSockets have no same-origin policy at all.

use http::header::{HeaderMap, HeaderName, ORIGIN};
use http::{HeaderValue, Method};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The origins whose pages may use cookies and WebSockets: the platform's own, and those in `CORS_ORIGINS`.
#[derive(Clone, Debug)]
pub(crate) struct Origins {
    own: String,
    others: Vec<String>,
}

impl Origins {
    pub(crate) fn new(own: String, others: Vec<String>) -> Self {
        Self { own, others }
    }

    /// Whether `CORS_ORIGINS` names any origin.
    pub(crate) fn has_others(&self) -> bool {
        !self.others.is_empty()
    }

    /// Whether pages of this origin may read responses (`CORS_ORIGINS`).
    pub(crate) fn allow_cors(&self, origin: &HeaderValue) -> bool {
        self.others.iter().any(|other| origin == other)
    }

    /// Whether the cross-site rule allows a request. The rule concerns only unsafe requests that use cookies, and upgrades. A
    /// request with a cookie must prove where it comes from, by `Sec-Fetch-Site` or by `Origin`. An upgrade without a cookie may
    /// come from a program that is no browser, and then has neither header.
    pub(crate) fn allow(
        &self,
        method: &Method,
        headers: &HeaderMap,
        uses_cookies: bool,
        is_upgrade: bool,
    ) -> bool {
        let rule_applies = is_upgrade || uses_cookies && !method.is_safe();
        if !rule_applies {
            return true;
        }
        // `none`: the user typed the address or opened a bookmark.
        let site = headers.get(SEC_FETCH_SITE);
        if site.is_some_and(|site| site == "same-origin" || site == "none") {
            return true;
        }
        match headers.get(ORIGIN) {
            Some(origin) => *origin == self.own || self.allow_cors(origin),
            None => !uses_cookies && site.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(method: &Method, lines: &[(&str, &str)], uses_cookies: bool, is_upgrade: bool) -> bool {
        let origins = Origins::new(
            "https://shop.example".to_owned(),
            vec!["https://app.example".to_owned()],
        );
        let headers = lines
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
            .collect();
        origins.allow(method, &headers, uses_cookies, is_upgrade)
    }

    #[test]
    fn an_unsafe_request_with_cookies_must_come_from_an_allowed_origin() {
        let post = |lines: &[(&str, &str)]| admits(&Method::POST, lines, true, false);
        for allowed in [
            &[("origin", "https://shop.example")][..],
            &[("origin", "https://app.example")],
            &[("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
            &[
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://app.example"),
            ],
        ] {
            assert!(post(allowed), "{allowed:?}");
        }
        for refused in [
            &[][..],
            &[("origin", "null")],
            &[("origin", "https://evil.example")],
            &[("origin", "http://shop.example")],
            &[("origin", "https://shop.example:8443")],
            &[("origin", "https://shop.example.evil.example")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[
                ("sec-fetch-site", "same-site"),
                ("origin", "https://evil.shop.example"),
            ],
            &[("referer", "https://shop.example/")],
        ] {
            assert!(!post(refused), "{refused:?}");
        }
    }

    #[test]
    fn safe_requests_and_requests_without_cookies_are_not_concerned() {
        let evil = [
            ("origin", "https://evil.example"),
            ("sec-fetch-site", "cross-site"),
        ];
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            assert!(admits(&method, &evil, true, false));
        }
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert!(admits(&method, &evil, false, false));
            assert!(!admits(&method, &evil, true, false));
        }
    }

    #[test]
    fn an_upgrade_must_come_from_an_allowed_origin_even_without_cookies() {
        let upgrade = |lines: &[(&str, &str)], uses_cookies| admits(&Method::GET, lines, uses_cookies, true);
        assert!(upgrade(&[("origin", "https://shop.example")], true));
        assert!(!upgrade(&[("origin", "https://evil.example")], false));
        assert!(!upgrade(&[("sec-fetch-site", "cross-site")], false));
        // A program that is no browser.
        assert!(upgrade(&[], false));
        assert!(!upgrade(&[], true));
    }
}
