//! The refresh token that a browser sends.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use super::SessionCookies;
use crate::domain::RefreshToken;
use crate::error::UserError;

/// The refresh token of the cookie, if the request carries a usable one.
#[derive(Debug)]
pub(crate) struct RefreshCookie(pub Option<RefreshToken>);

impl FromRequest for RefreshCookie {
    type Error = UserError;
    type Future = Ready<Result<Self, UserError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let cookies = SessionCookies::of(request);
        ready(cookies.map(|cookies| Self(cookies.refresh_token(request.headers()))))
    }
}
