//! The cross-site rule. Browsers add cookies to requests that pages of other sites cause, so a cookie alone does not prove that the
//! user wanted the request (CSRF). WebSockets have no same-origin policy at all.

use crate::error::AuthError;

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

/// Where a request comes from, as its browser says. Pages can't forge these headers. Programs that are no browsers send any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestSource {
    /// A page of one of the [`Origins`], or the user, who typed the address or opened a bookmark.
    Allowed,
    /// A page of another origin.
    Foreign,
    /// The request has neither `Sec-Fetch-Site` nor `Origin`. Browsers of today send one of them with every unsafe request and every
    /// WebSocket.
    Unknown,
}

/// The properties of a request on which the cross-site rule depends, besides its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestKind {
    /// Whether the method is safe (RFC 9110 §9.2.1): `GET`, `HEAD`, `OPTIONS` or `TRACE`.
    pub is_safe: bool,
    /// Whether the client asks to switch to another protocol, such as a WebSocket.
    pub is_upgrade: bool,
    /// Whether the request carries a cookie that the application uses.
    pub carries_cookie: bool,
}

impl RequestKind {
    /// The rule concerns unsafe requests that carry a cookie, and upgrades.
    fn is_concerned(self) -> bool {
        self.is_upgrade || self.carries_cookie && !self.is_safe
    }
}

impl RequestSource {
    /// Whether the cross-site rule admits a request from there. A request that carries a cookie must prove where it comes from. One
    /// that only sets cookies, or opens a WebSocket without a cookie, may come from a program that is no browser.
    #[must_use]
    pub fn is_admitted(self, carries_cookie: bool) -> bool {
        match self {
            Self::Allowed => true,
            Self::Foreign => false,
            Self::Unknown => !carries_cookie,
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

    /// Whether this text is the application's own origin.
    #[must_use]
    pub fn is_own(&self, origin: impl AsRef<[u8]>) -> bool {
        origin.as_ref() == self.own.as_bytes()
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
        self.is_own(origin) || self.is_other(origin)
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

    /// Where a request with these values of its `Sec-Fetch-Site` and `Origin` headers comes from. Browsers send each once; a repeated
    /// header proves nothing.
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
            // `none`: the user caused the request, and no page.
            (Some(b"same-origin" | b"none"), _) => RequestSource::Allowed,
            (_, Some(origin)) if self.includes(origin) => RequestSource::Allowed,
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
        if kind.is_concerned() && !source(self).is_admitted(kind.carries_cookie) {
            return Err(AuthError::CrossSite);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(headers: &[(&str, &str)]) -> RequestSource {
        let values = |name: &str| {
            let values = headers.iter().filter(move |(found, _)| *found == name);
            values.map(|(_, value)| value.as_bytes()).collect::<Vec<_>>()
        };
        let origins = Origins::new("https://shop.example", ["https://app.example"]);
        origins.source(values("site"), values("origin"))
    }

    fn refuses(is_safe: bool, is_upgrade: bool, carries_cookie: bool, source: RequestSource) -> bool {
        let origins = Origins::new("https://shop.example", ["https://app.example"]);
        let kind = RequestKind {
            is_safe,
            is_upgrade,
            carries_cookie,
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
        assert!(!refuses(false, false, true, RequestSource::Allowed));
        assert!(refuses(false, false, true, RequestSource::Foreign));
        assert!(refuses(false, false, true, RequestSource::Unknown));
    }

    #[test]
    fn safe_requests_and_requests_without_cookies_are_not_concerned() {
        for source in [RequestSource::Foreign, RequestSource::Unknown] {
            assert!(!refuses(true, false, true, source));
            assert!(!refuses(false, false, false, source));
        }
    }

    #[test]
    fn an_upgrade_must_come_from_an_allowed_page_even_without_a_cookie() {
        assert!(!refuses(true, true, true, RequestSource::Allowed));
        assert!(refuses(true, true, true, RequestSource::Unknown));
        assert!(refuses(true, true, false, RequestSource::Foreign));
        // A program that is no browser.
        assert!(!refuses(true, true, false, RequestSource::Unknown));
    }
}
