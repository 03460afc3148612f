//! The refresh token that a browser sends.

use std::convert::Infallible;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};

use super::SessionCookies;
use crate::domain::RefreshToken;

/// The refresh token of the cookie, if the request carries a usable one.
#[derive(Debug)]
pub(crate) struct RefreshCookie(pub Option<RefreshToken>);

impl FromRequest for RefreshCookie {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let cookies = request.app_data::<Data<SessionCookies>>();
        let token = cookies.and_then(|cookies| cookies.refresh_token(request.headers()));
        ready(Ok(Self(token)))
    }
}
