//! Logging out.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::CurrentUser;
use db::Db;
use service_kit::OptionalBody;
use uuid::Uuid;

use crate::context::RequestContext;
use crate::domain::{Entry, Event};
use crate::error::UserError;
use crate::routes::refresh::PresentedToken;
use crate::sessions::Sessions;

/// `POST /auth/logout`: ends the session of the access token and, if the body has a refresh token, the session of the refresh
/// token. A caller who presents no valid token gets the same response.
#[utoipa::path(
    post, path = "/auth/logout", tag = "auth", request_body = Option<PresentedToken>,
    responses((status = 204, description = "the sessions of the valid tokens have ended; also if there is no valid token")),
)]
#[tracing::instrument(skip_all)]
pub async fn logout(
    CurrentUser(user): CurrentUser,
    OptionalBody(presented): OptionalBody<PresentedToken>,
    db: Data<Db>,
    sessions: Data<Sessions>,
    context: RequestContext,
) -> Result<HttpResponse, UserError> {
    let mut ending: Vec<Uuid> = user.iter().filter_map(auth::User::session_id).collect();
    if let Some(token) = presented.and_then(|presented| presented.parse()) {
        let mut conn = db.read().await?;
        ending.extend(sessions.find_endable(&mut conn, &token, context.time()).await?);
    }
    if !ending.is_empty() {
        let entry = |user| Entry::of(Event::Logout, user);
        sessions.end_and_record(&db, &ending, &context, entry).await?;
    }
    Ok(HttpResponse::NoContent().finish())
}
