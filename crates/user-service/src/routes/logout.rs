//! Logging out.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use auth::CurrentUser;
use db::Db;
use service_kit::OptionalBody;
use uuid::Uuid;

use crate::context::RequestContext;
use crate::cookies::{RefreshCookie, SessionCookies};
use crate::domain::{Entry, Event};
use crate::error::UserError;
use crate::routes::refresh::PresentedToken;
use crate::sessions::Sessions;

/// Refuses a logout that a page of another site causes, before the body is read.
pub(crate) struct NotCrossSite;

impl FromRequest for NotCrossSite {
    type Error = UserError;
    type Future = Ready<Result<Self, UserError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let check = |cookies: &SessionCookies| cookies.check_source_of_logout(request.headers());
        let checked = SessionCookies::of(request).and_then(|cookies| Ok(check(cookies)?));
        ready(checked.map(|()| Self))
    }
}

/// `POST /auth/logout`: ends the sessions of the access token, of the refresh token in the body and of the one in the cookie. A caller who
/// presents no valid token gets the same response. Each response removes both cookies, except for the one to a request from another site.
#[utoipa::path(
    post, path = "/auth/logout", tag = "auth", request_body = Option<PresentedToken>,
    responses((
        status = 204,
        description = "the sessions of the valid tokens have ended; also if there is no valid token",
        headers(("set-cookie" = String, description = "Removes the access cookie and the refresh cookie")),
    )),
)]
#[tracing::instrument(skip_all)]
pub async fn logout(
    CurrentUser(user): CurrentUser,
    _: NotCrossSite,
    OptionalBody(presented): OptionalBody<PresentedToken>,
    RefreshCookie(cookie): RefreshCookie,
    db: Data<Db>,
    sessions: Data<Sessions>,
    context: RequestContext,
) -> Result<HttpResponse, UserError> {
    let mut ending: Vec<Uuid> = user.iter().filter_map(auth::User::session_id).collect();
    let of_body = presented.and_then(|presented| presented.parse());
    for token in of_body.into_iter().chain(cookie) {
        let mut conn = db.read().await?;
        ending.extend(sessions.find_endable(&mut conn, &token, context.time()).await?);
    }
    if !ending.is_empty() {
        let entry = |user| Entry::of(Event::Logout, user);
        sessions.end_and_record(&db, &ending, &context, entry).await?;
    }
    Ok(HttpResponse::NoContent().finish())
}
