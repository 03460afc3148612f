//! The cookies in which browsers keep a session: who may have them set, what they contain, and when they are removed. Their names follow
//! from the configuration, never from a request.

mod in_cookies;
mod refresh_cookie;

use std::borrow::Cow;

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use auth::{AuthError, FoundCookie, Origins, RequestSource, find_cookie};
use service_kit::CookieSettings;

pub(crate) use self::in_cookies::{InCookies, SessionKind, SessionQuery};
pub(crate) use self::refresh_cookie::RefreshCookie;
use crate::domain::RefreshToken;
use crate::sessions::TokenPair;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Sets, reads and removes the cookies of a session.
#[derive(Clone, Debug)]
pub(crate) struct SessionCookies {
    settings: CookieSettings,
}

impl SessionCookies {
    pub(crate) fn new(settings: CookieSettings) -> Self {
        Self { settings }
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
            FoundCookie::Value(value) => RefreshToken::parse(str::from_utf8(value).ok()?),
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

    /// Refuses a request by which a page of another site would set or remove cookies (login CSRF). A program that is no browser does not
    /// say where its request comes from.
    fn check_source(&self, headers: &HeaderMap) -> Result<(), AuthError> {
        let values = |name| headers.get_all(name).map(HeaderValue::as_bytes);
        match self.origins().source(values(SEC_FETCH_SITE), values(ORIGIN)) {
            RequestSource::Allowed | RequestSource::Unknown => Ok(()),
            RequestSource::Foreign => Err(AuthError::CrossSite),
        }
    }

    /// As [`check_source`](Self::check_source), for a logout. A page of another site can't add `Authorization` to its request, unless
    /// CORS allows it.
    pub(crate) fn check_source_of_logout(&self, headers: &HeaderMap) -> Result<(), AuthError> {
        if headers.contains_key(AUTHORIZATION) {
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

/// Whether a page of another site sent the request.
pub(crate) fn is_from_another_site(request: &HttpRequest) -> bool {
    let cookies = request.app_data::<Data<SessionCookies>>();
    cookies.is_some_and(|cookies| cookies.check_source(request.headers()).is_err())
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
    let Some(cookies) = request.app_data::<Data<SessionCookies>>() else {
        return;
    };
    let is_cross_site = response.status() == StatusCode::FORBIDDEN;
    if !is_cross_site && cookies.check_source_of_logout(request.headers()).is_ok() {
        cookies.clear(response);
    }
}

/// Completes each response to a refresh: removes a refresh cookie that counts as none.
pub(crate) fn clear_unusable(request: &HttpRequest, response: &mut HttpResponse) {
    let Some(cookies) = request.app_data::<Data<SessionCookies>>() else {
        return;
    };
    let name = cookies.settings.names.refresh;
    let is_set = response.cookies().any(|cookie| cookie.name() == name);
    let is_cross_site = response.status() == StatusCode::FORBIDDEN;
    if !is_set && !is_cross_site && cookies.has_unusable_refresh_cookie(request.headers()) {
        cookies.put(response, name, "", 0);
    }
}
