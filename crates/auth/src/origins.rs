//! The cross-site rule. Browsers add cookies to requests that pages of other sites cause, so a cookie alone does not prove that the
//! user wanted the request (CSRF). WebSockets have no same-origin policy at all.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, ORIGIN};

use crate::error::AuthError;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The origins whose pages may use cookies and WebSockets: the application's own, and others that it trusts. An origin is compared
/// as text, in the form in which browsers send it: scheme, host, and the port unless it is the scheme's default one, as
/// `https://shop.example` (RFC 6454 §6.2).
///
/// ```
/// use auth::{Origins, RequestSource};
///
/// let origins = Origins::new("https://shop.example", ["https://app.example"]);
/// let source = |site: &'static str, origin: &'static str| origins.source([site.as_bytes()], [origin.as_bytes()]);
/// assert_eq!(source("cross-site", "https://app.example"), RequestSource::Allowed);
/// assert_eq!(source("cross-site", "https://evil.example"), RequestSource::Foreign);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origins {
    own: String,
    others: Vec<String>,
}

/// Where a request comes from, as its browser says. Pages can't forge these headers. A client that is not a browser can send any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestSource {
    /// A page of one of the [`Origins`], or the user, who typed the address or opened a bookmark.
    Allowed,
    /// A page of another origin.
    Foreign,
    /// The request has neither `Sec-Fetch-Site` nor `Origin`. Current browsers send one of them with every unsafe request and every
    /// WebSocket.
    Unknown,
}

/// The cookies of a request that the application uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CarriedCookies {
    /// There are none.
    None,
    /// Only cookies that count as none, such as a repeated one.
    Unusable,
    /// At least one that may be used.
    Usable,
}

/// The properties of a request on which the cross-site rule depends, besides its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestKind {
    /// Whether the method is safe (RFC 9110 §9.2.1): `GET`, `HEAD`, `OPTIONS` or `TRACE`.
    pub is_safe: bool,
    /// Whether the client asks to switch to another protocol, such as a WebSocket.
    pub is_upgrade: bool,
    /// The cookies that the application uses.
    pub cookies: CarriedCookies,
}

impl RequestKind {
    /// The rule concerns unsafe requests that carry a cookie, and upgrades.
    fn is_concerned(self) -> bool {
        self.is_upgrade || self.cookies != CarriedCookies::None && !self.is_safe
    }
}

impl RequestSource {
    /// Whether the cross-site rule admits a request from there. A request that uses a cookie must prove where it comes from. One that
    /// only sets cookies, or opens a WebSocket without a cookie, may come from a client that is not a browser.
    #[must_use]
    pub fn is_admitted(self, uses_cookie: bool) -> bool {
        match self {
            Self::Allowed => true,
            Self::Foreign => false,
            Self::Unknown => !uses_cookie,
        }
    }
}

impl Origins {
    /// The application's own origin, and the others.
    #[must_use]
    pub fn new(own: impl Into<String>, others: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            own: own.into(),
            others: others.into_iter().map(Into::into).collect(),
        }
    }

    /// Whether this text is one of the other origins.
    #[must_use]
    pub fn is_other(&self, origin: impl AsRef<[u8]>) -> bool {
        let origin = origin.as_ref();
        self.others.iter().any(|other| other.as_bytes() == origin)
    }

    /// Whether this text is one of the origins.
    #[must_use]
    pub fn includes(&self, origin: impl AsRef<[u8]>) -> bool {
        let origin = origin.as_ref();
        origin == self.own.as_bytes() || self.is_other(origin)
    }

    /// Whether there are other origins.
    #[must_use]
    pub fn has_others(&self) -> bool {
        !self.others.is_empty()
    }

    /// Whether the own origin is https, so that cookies have the attribute `Secure`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.own.starts_with("https:")
    }

    /// Where a request with these headers comes from.
    #[must_use]
    pub fn source_of(&self, headers: &HeaderMap) -> RequestSource {
        let values = |name| headers.get_all(name).map(HeaderValue::as_bytes);
        self.source(values(SEC_FETCH_SITE), values(ORIGIN))
    }

    /// Where a request with these values of its `Sec-Fetch-Site` and `Origin` headers comes from, for programs of any framework.
    /// Browsers send each once; a repeated header proves nothing. An `Origin` that is not included outweighs `none`, but not
    /// `same-origin`: the browser has then opened the page at another name of this server, and sends only the cookies of that name.
    pub fn source<'v>(
        &self,
        sec_fetch_site: impl IntoIterator<Item = &'v [u8]>,
        origin: impl IntoIterator<Item = &'v [u8]>,
    ) -> RequestSource {
        let (mut sites, mut origins) = (sec_fetch_site.into_iter(), origin.into_iter());
        let (site, origin) = (sites.next(), origins.next());
        if sites.next().is_some() || origins.next().is_some() {
            return RequestSource::Foreign;
        }
        match (site, origin) {
            (Some(b"same-origin"), _) => RequestSource::Allowed,
            (_, Some(origin)) if self.includes(origin) => RequestSource::Allowed,
            // The user caused the request, and no page.
            (Some(b"none"), None | Some(b"null")) => RequestSource::Allowed,
            (None, None) => RequestSource::Unknown,
            _ => RequestSource::Foreign,
        }
    }

    /// Applies the cross-site rule. `source` is called only if the rule concerns the request.
    ///
    /// # Errors
    /// [`AuthError::CrossSite`] if the request is refused.
    pub fn check(
        &self,
        kind: RequestKind,
        source: impl FnOnce(&Self) -> RequestSource,
    ) -> Result<(), AuthError> {
        if kind.is_concerned() && !source(self).is_admitted(kind.cookies == CarriedCookies::Usable) {
            return Err(AuthError::CrossSite);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::CarriedCookies::{Unusable, Usable};
    use super::*;

    fn source(headers: &[(&str, &str)]) -> RequestSource {
        let values = |name: &str| {
            let values = headers.iter().filter(move |(found, _)| *found == name);
            values.map(|(_, value)| value.as_bytes()).collect::<Vec<_>>()
        };
        let origins = Origins::new("https://shop.example", ["https://app.example"]);
        origins.source(values("site"), values("origin"))
    }

    fn refuses(is_safe: bool, is_upgrade: bool, cookies: CarriedCookies, source: RequestSource) -> bool {
        let origins = Origins::new("https://shop.example", ["https://app.example"]);
        let kind = RequestKind {
            is_safe,
            is_upgrade,
            cookies,
        };
        origins.check(kind, |_| source).is_err()
    }

    #[test]
    fn a_request_comes_from_an_allowed_page_by_either_header() {
        for headers in [
            &[("origin", "https://shop.example")][..],
            &[("origin", "https://app.example")],
            &[("site", "same-origin")],
            &[("site", "none")],
            &[("site", "cross-site"), ("origin", "https://app.example")],
            &[("site", "same-site"), ("origin", "https://shop.example")],
            &[("site", "same-origin"), ("origin", "https://shop.example")],
            &[("site", "none"), ("origin", "https://app.example")],
            &[("site", "same-origin"), ("origin", "null")],
            &[("site", "same-origin"), ("origin", "http://127.0.0.1:8080")],
            &[("site", "none"), ("origin", "null")],
        ] {
            assert_eq!(source(headers), RequestSource::Allowed, "{headers:?}");
        }
        for headers in [
            &[("origin", "null")][..],
            &[("origin", "")],
            &[("origin", "https://evil.example")],
            &[("origin", "http://shop.example")],
            &[("origin", "https://shop.example:8443")],
            &[("origin", "https://shop.example/")],
            &[("origin", "https://SHOP.example")],
            &[("origin", "https://shop.example.evil.example")],
            &[("origin", "https://shop.example https://evil.example")],
            &[("site", "cross-site")],
            &[("site", "same-site")],
            &[("site", "Same-Origin")],
            &[("site", "same-site"), ("origin", "https://evil.shop.example")],
            &[("site", "cross-site"), ("origin", "null")],
            &[("site", "none"), ("origin", "https://evil.example")],
            &[("site", "none"), ("origin", "")],
            &[("site", "same-origin"), ("site", "cross-site")],
            &[
                ("origin", "https://shop.example"),
                ("origin", "https://evil.example"),
            ],
        ] {
            assert_eq!(source(headers), RequestSource::Foreign, "{headers:?}");
        }
        assert_eq!(
            source(&[("referer", "https://shop.example/")]),
            RequestSource::Unknown
        );
    }

    #[test]
    fn an_unsafe_request_with_a_cookie_must_come_from_an_allowed_page() {
        assert!(!refuses(false, false, Usable, RequestSource::Allowed));
        assert!(refuses(false, false, Usable, RequestSource::Foreign));
        assert!(refuses(false, false, Usable, RequestSource::Unknown));
    }

    #[test]
    fn a_cookie_that_counts_as_none_must_not_come_from_another_page() {
        assert!(!refuses(false, false, Unusable, RequestSource::Allowed));
        assert!(refuses(false, false, Unusable, RequestSource::Foreign));
        assert!(!refuses(false, false, Unusable, RequestSource::Unknown));
    }

    #[test]
    fn safe_requests_and_requests_without_cookies_are_not_concerned() {
        for source in [RequestSource::Foreign, RequestSource::Unknown] {
            assert!(!refuses(true, false, Usable, source));
            assert!(!refuses(false, false, CarriedCookies::None, source));
        }
    }

    #[test]
    fn an_upgrade_must_come_from_an_allowed_page_even_without_a_cookie() {
        assert!(!refuses(true, true, Usable, RequestSource::Allowed));
        assert!(refuses(true, true, Usable, RequestSource::Unknown));
        for cookies in [CarriedCookies::None, Unusable] {
            assert!(refuses(true, true, cookies, RequestSource::Foreign));
            // A client that is not a browser.
            assert!(!refuses(true, true, cookies, RequestSource::Unknown));
        }
    }
}
