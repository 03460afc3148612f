//! Session cookies: which pages may set them, what they contain, when they are removed. Their names follow from the configuration, never
//! from a request.

mod in_cookies;
mod refresh_cookie;
mod source;

use std::borrow::Cow;

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use auth::{AccessCookie, AuthError, FoundCookie, IDENTITY_HEADER, Origins, bearer_token, find_cookie};
use service_kit::CookieSettings;

pub(crate) use self::in_cookies::{InCookies, SessionKind, SessionQuery};
pub(crate) use self::refresh_cookie::RefreshCookie;
pub(crate) use self::source::NotFromAnotherSite;
use crate::domain::RefreshToken;
use crate::error::UserError;
use crate::sessions::TokenPair;

/// Sets, reads and removes the cookies of a session.
#[derive(Clone, Debug)]
pub(crate) struct SessionCookies {
    settings: CookieSettings,
}

impl SessionCookies {
    pub(crate) fn new(settings: CookieSettings) -> Self {
        Self { settings }
    }

    /// The cookies of the application that received the request.
    pub(crate) fn of(request: &HttpRequest) -> Result<&Data<Self>, UserError> {
        let cookies = request.app_data::<Data<Self>>();
        cookies.ok_or_else(|| UserError::internal("the application has no Data<SessionCookies>"))
    }

    /// Sets both cookies. Each ends with its token.
    pub(crate) fn set(&self, response: &mut HttpResponse, pair: &TokenPair) {
        let names = self.settings.names;
        self.put(response, names.access, &pair.access_token, pair.expires_in);
        self.put(
            response,
            names.refresh,
            &pair.refresh_token,
            pair.refresh_expires_in,
        );
    }

    /// Removes both cookies from the browser.
    pub(crate) fn clear(&self, response: &mut HttpResponse) {
        let names = self.settings.names;
        for name in [names.access, names.refresh] {
            self.put(response, name, "", 0);
        }
    }

    /// Whether the platform's own origin is https, so that cookies have the attribute `Secure`.
    pub(crate) fn is_https(&self) -> bool {
        self.settings.origins.is_https()
    }

    /// The origins whose pages may use the cookies.
    pub(crate) fn origins(&self) -> &Origins {
        &self.settings.origins
    }

    /// The refresh token in the cookie. A cookie that is repeated, or does not have the form of a refresh token, counts as none.
    fn refresh_token(&self, headers: &HeaderMap) -> Option<RefreshToken> {
        match self.refresh_cookie(headers) {
            FoundCookie::Value(value) => parse(value),
            FoundCookie::Missing | FoundCookie::Unusable => None,
        }
    }

    fn refresh_cookie<'h>(&self, headers: &'h HeaderMap) -> FoundCookie<'h> {
        let values = headers.get_all(COOKIE).map(HeaderValue::as_bytes);
        find_cookie(values, self.settings.names.refresh)
    }

    /// Whether a request carries a refresh cookie that counts as none.
    fn has_unusable_refresh_cookie(&self, headers: &HeaderMap) -> bool {
        self.refresh_cookie(headers) != FoundCookie::Missing && self.refresh_token(headers).is_none()
    }

    /// Refuses a request by which a page of another site would set or remove cookies (login CSRF). A client that is not a browser does
    /// not say where its request comes from.
    fn check_source(&self, headers: &HeaderMap) -> Result<(), AuthError> {
        if self.origins().source_of(headers).is_admitted(false) {
            Ok(())
        } else {
            Err(AuthError::CrossSite)
        }
    }

    /// As [`check_source`](Self::check_source), for a logout. A page of another site can't add a bearer token to its request, unless CORS
    /// allows it, and browsers don't add one themselves, as they do with HTTP Basic and Negotiate. With `AUTH_STRATEGY=gateway`, the
    /// gateway has replaced the bearer token by an identity token, which a page can't add either.
    pub(crate) fn check_source_of_logout(&self, headers: &HeaderMap) -> Result<(), AuthError> {
        let credentials = headers.get_all(AUTHORIZATION).map(HeaderValue::as_bytes);
        if bearer_token(credentials).is_ok() || headers.contains_key(IDENTITY_HEADER) {
            return Ok(());
        }
        self.check_source(headers)
    }

    fn put(&self, response: &mut HttpResponse, name: &'static str, value: &str, max_age: i64) {
        let cookie = host_cookie(name, value, max_age, self.is_https());
        // One response sets each cookie once (RFC 6265 §4.1.1).
        response.del_cookie(name);
        if let Err(error) = response.add_cookie(&cookie) {
            tracing::error!(%error, "a token can't be the value of a cookie");
        }
    }
}

/// The access cookie, with the cross-site rule for requests that carry another cookie of this service.
pub(crate) fn access_cookie(settings: &CookieSettings) -> AccessCookie {
    settings
        .access_cookie()
        .guard_if(settings.names.refresh, |value| parse(value).is_some())
        .guard(settings.names.login)
}

/// The refresh token in the value of a cookie.
fn parse(value: &[u8]) -> Option<RefreshToken> {
    RefreshToken::parse(str::from_utf8(value).ok()?)
}

/// Whether a page of another site sent the request.
pub(crate) fn is_from_another_site(request: &HttpRequest) -> Result<bool, UserError> {
    let cookies = SessionCookies::of(request)?;
    Ok(cookies.check_source(request.headers()).is_err())
}

/// A cookie for this host alone, which no script can read. `max_age` is in seconds; 0 removes the cookie.
pub(crate) fn host_cookie<'c>(
    name: &'static str,
    value: impl Into<Cow<'c, str>>,
    max_age: i64,
    is_https: bool,
) -> Cookie<'c> {
    Cookie::build(name, value)
        .path("/")
        .http_only(true)
        // Not `Strict`: such a cookie is missing when a link on another site, or a provider, leads here.
        .same_site(SameSite::Lax)
        .secure(is_https)
        .max_age(Duration::seconds(max_age))
        .finish()
}

/// Completes each response to a logout: the browser keeps no session, also if the credentials are bad or the database is down. Only a
/// request from another site changes nothing.
pub(crate) fn clear_after_logout(request: &HttpRequest, response: &mut HttpResponse) {
    let Ok(cookies) = SessionCookies::of(request) else {
        return;
    };
    if !is_cross_site(response) && cookies.check_source_of_logout(request.headers()).is_ok() {
        cookies.clear(response);
    }
}

/// Completes each response to a refresh: removes a refresh cookie that counts as none.
pub(crate) fn clear_unusable(request: &HttpRequest, response: &mut HttpResponse) {
    let Ok(cookies) = SessionCookies::of(request) else {
        return;
    };
    let (name, headers) = (cookies.settings.names.refresh, request.headers());
    let is_set = response.cookies().any(|cookie| cookie.name() == name);
    if !is_set
        && !is_cross_site(response)
        && cookies.check_source(headers).is_ok()
        && cookies.has_unusable_refresh_cookie(headers)
    {
        cookies.put(response, name, "", 0);
    }
}

/// Whether the cross-site rule refused the request. These routes answer 403 for no other reason.
fn is_cross_site(response: &HttpResponse) -> bool {
    response.status() == StatusCode::FORBIDDEN
}
