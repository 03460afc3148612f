//! The cookie in which browsers send the access token.

use actix_web::http::header::{CACHE_CONTROL, COOKIE, HeaderMap, HeaderValue, SET_COOKIE};

use crate::cookies::{CookieRemoval, FoundCookie, find_cookie};
use crate::error::AuthError;
use crate::origins::{CarriedCookies, Origins};
use crate::principal::Principal;

/// The cookie in which browsers send the access token, and the pages that may use it: see
/// [`VerifierBuilder::access_cookie`](crate::VerifierBuilder::access_cookie).
#[derive(Clone, Debug)]
pub struct AccessCookie {
    name: String,
    guarded: Vec<GuardedCookie>,
    origins: Origins,
    removal: CookieRemoval,
}

/// Another cookie, which the application itself reads.
#[derive(Clone, Debug)]
struct GuardedCookie {
    name: String,
    /// Whether a value counts. `None`: the cookie counts in every form.
    is_usable: Option<fn(&[u8]) -> bool>,
}

/// The state of a request's access cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessCookieState {
    /// The request does not carry the cookie.
    Missing,
    /// The cookie is empty, repeated, or not a token that the verifier knows ([`AuthError::InvalidToken`]). It counts as none, and the
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
        let removal = CookieRemoval::new(&name, origins.is_https());
        Self {
            name,
            guarded: Vec::new(),
            origins,
            removal,
        }
    }

    /// Also applies the cross-site rule to requests that carry this other cookie, whose value the application itself reads, such as that
    /// of the refresh token. The cookie counts in every form, also if it is empty or repeated.
    #[must_use]
    pub fn guard(self, name: impl Into<String>) -> Self {
        self.guard_cookie(name.into(), None)
    }

    /// As [`guard`](Self::guard), for an application that reads the cookie with [`find_cookie`], and treats it as none
    /// if it is repeated, or if `is_usable` is false for its value. Such a cookie requires no proof of where the request comes from, so
    /// that the application can answer and remove it. A page of another origin is refused all the same.
    #[must_use]
    pub fn guard_if(self, name: impl Into<String>, is_usable: fn(&[u8]) -> bool) -> Self {
        self.guard_cookie(name.into(), Some(is_usable))
    }

    fn guard_cookie(mut self, name: String, is_usable: Option<fn(&[u8]) -> bool>) -> Self {
        self.guarded.push(GuardedCookie { name, is_usable });
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

    /// Removes the cookie from the browser.
    #[must_use]
    pub fn removal(&self) -> &CookieRemoval {
        &self.removal
    }

    /// The cookie of a request with these headers.
    pub(crate) fn find<'h>(&self, headers: &'h HeaderMap) -> FoundCookie<'h> {
        find_cookie(cookie_values(headers), &self.name)
    }

    /// The other cookies that a request carries.
    pub(crate) fn guarded_in(&self, headers: &HeaderMap) -> CarriedCookies {
        let carried = self.guarded.iter().map(|cookie| cookie.carried_in(headers));
        carried.max().unwrap_or(CarriedCookies::None)
    }

    /// Removes the cookie from the browser, unless the response sets it. A cache must not give the response to others (RFC 9111 §5.2.2.5):
    /// they would lose their cookies.
    pub(crate) fn remove_in(&self, headers: &mut HeaderMap) {
        let set_cookies = headers.get_all(SET_COOKIE).map(HeaderValue::as_bytes);
        let removal = self.removal.unless_set(set_cookies).map(HeaderValue::from_str);
        if let Some(Ok(removal)) = removal {
            headers.append(SET_COOKIE, removal);
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }
}

impl GuardedCookie {
    fn carried_in(&self, headers: &HeaderMap) -> CarriedCookies {
        match (find_cookie(cookie_values(headers), &self.name), self.is_usable) {
            (FoundCookie::Missing, _) => CarriedCookies::None,
            (FoundCookie::Unusable, Some(_)) => CarriedCookies::Unusable,
            (FoundCookie::Value(value), Some(is_usable)) if !is_usable(value) => CarriedCookies::Unusable,
            _ => CarriedCookies::Usable,
        }
    }
}

fn cookie_values(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.get_all(COOKIE).map(HeaderValue::as_bytes)
}
