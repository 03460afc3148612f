//! The cookie in which browsers send the access token.

use actix_web::http::header::{
    CACHE_CONTROL, COOKIE, HeaderMap, HeaderName, HeaderValue, ORIGIN, SET_COOKIE,
};

use crate::cookies::{FoundCookie, find_cookie};
use crate::error::AuthError;
use crate::origins::{Origins, RequestSource};
use crate::principal::Principal;
use crate::token_verifier::MAX_TOKEN_BYTES;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The cookie in which browsers send the access token, and the pages that may use it: see
/// [`VerifierBuilder::access_cookie`](crate::VerifierBuilder::access_cookie).
#[derive(Clone, Debug)]
pub struct AccessCookie {
    name: String,
    guarded: Vec<String>,
    origins: Origins,
    removal: String,
}

/// The state of a request's access cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessCookieState {
    /// The request does not carry the cookie.
    Missing,
    /// The cookie is empty, repeated, or no token that the verifier knows ([`AuthError::InvalidToken`]). It counts as none, and the
    /// response should [remove](AccessCookie::removal) it.
    Invalid,
    /// The cookie has a token of the issuer. It may be expired or revoked: then the client should refresh it.
    Usable,
}

/// The caller of a request, by its bearer token and its access cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified {
    /// The caller, or why there is none.
    pub caller: Result<Principal, AuthError>,
    /// The state of the cookie.
    pub cookie: AccessCookieState,
}

impl AccessCookie {
    /// The cookie of this name, which must be a cookie name (RFC 6265 §4.1.1), on a site with these origins. Over https, the prefix
    /// `__Host-` prevents that other hosts of the domain set it.
    #[must_use]
    pub fn new(name: impl Into<String>, origins: Origins) -> Self {
        let name = name.into();
        let secure = if origins.is_https() { "; Secure" } else { "" };
        let removal = format!("{name}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax{secure}");
        Self {
            name,
            guarded: Vec::new(),
            origins,
            removal,
        }
    }

    /// Also applies the cross-site rule to requests that carry this other cookie, whose value the application itself reads, such as
    /// that of the refresh token.
    #[must_use]
    pub fn guard(mut self, name: impl Into<String>) -> Self {
        self.guarded.push(name.into());
        self
    }

    /// The name of the cookie.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The origins whose pages may use cookies.
    #[must_use]
    pub fn origins(&self) -> &Origins {
        &self.origins
    }

    /// The value of `Set-Cookie` that removes the cookie from the browser. `None` if one of these values of the response's
    /// `Set-Cookie` headers already sets the cookie.
    pub fn removal<'v>(&self, set_cookies: impl IntoIterator<Item = &'v [u8]>) -> Option<&str> {
        let sets = |value: &[u8]| {
            let rest = value.trim_ascii_start().strip_prefix(self.name.as_bytes());
            rest.is_some_and(|rest| rest.first() == Some(&b'='))
        };
        let is_set = set_cookies.into_iter().any(sets);
        (!is_set).then_some(self.removal.as_str())
    }

    /// The cookie of a request with these headers.
    pub(crate) fn find<'h>(&self, headers: &'h HeaderMap) -> FoundCookie<'h> {
        find_cookie(cookie_values(headers), &self.name)
    }

    /// Whether a request carries one of the other cookies. One that is empty, repeated or too long counts as none.
    pub(crate) fn has_guarded(&self, headers: &HeaderMap) -> bool {
        self.guarded
            .iter()
            .any(|name| match find_cookie(cookie_values(headers), name) {
                FoundCookie::Value(value) => value.len() <= MAX_TOKEN_BYTES,
                FoundCookie::Missing | FoundCookie::Unusable => false,
            })
    }

    /// Removes the cookie from the browser, unless the response sets it. A cache must not give the response to others (RFC 9111 §5.2.2.5):
    /// they would lose their cookies.
    pub(crate) fn remove_in(&self, headers: &mut HeaderMap) {
        let set_cookies = headers.get_all(SET_COOKIE).map(HeaderValue::as_bytes);
        let removal = self.removal(set_cookies).map(HeaderValue::from_str);
        if let Some(Ok(removal)) = removal {
            headers.append(SET_COOKIE, removal);
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }
}

/// Where a request with these headers comes from.
pub(crate) fn source_of(headers: &HeaderMap, origins: &Origins) -> RequestSource {
    let values = |name| headers.get_all(name).map(HeaderValue::as_bytes);
    origins.source(values(SEC_FETCH_SITE), values(ORIGIN))
}

fn cookie_values(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.get_all(COOKIE).map(HeaderValue::as_bytes)
}
