//! `?session=cookie`: the client wants the tokens in cookies.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use garde::Validate;
use serde::Deserialize;
use service_kit::Query;
use utoipa::{IntoParams, ToSchema};

use super::SessionCookies;
use crate::error::UserError;

/// The query of the requests that open or refresh a session.
#[derive(Deserialize, Validate, IntoParams)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
pub(crate) struct SessionQuery {
    /// `cookie`: answer with cookies and without tokens. For pages in browsers.
    #[param(inline)]
    session: Option<SessionKind>,
}

/// Where the tokens of a session are.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SessionKind {
    /// In cookies, which scripts can't read.
    Cookie,
}

/// The cookies, if the client wants the tokens in them. A page of another site may not set cookies, so its request is refused before
/// anything else is read.
pub(crate) struct InCookies(pub Option<Data<SessionCookies>>);

impl FromRequest for InCookies {
    type Error = UserError;
    type Future = Ready<Result<Self, UserError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let query = Query::<SessionQuery>::from_request(request, payload).into_inner();
        let read = |query: SessionQuery| {
            if query.session.is_none() {
                return Ok(Self(None));
            }
            let cookies = SessionCookies::of(request)?;
            cookies.check_source(request.headers())?;
            Ok(Self(Some(cookies.clone())))
        };
        ready(
            query
                .map_err(UserError::from)
                .and_then(|Query(query)| read(query)),
        )
    }
}
