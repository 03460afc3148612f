//! The pages that may cause a request.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use auth::AuthError;

use super::is_from_another_site;
use crate::error::UserError;

/// Refuses a request that a page of another site causes, also if it carries no cookie: for routes that always set one.
pub(crate) struct NotFromAnotherSite;

impl FromRequest for NotFromAnotherSite {
    type Error = UserError;
    type Future = Ready<Result<Self, UserError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(match is_from_another_site(request) {
            Ok(false) => Ok(Self),
            Ok(true) => Err(AuthError::CrossSite.into()),
            Err(error) => Err(error),
        })
    }
}
