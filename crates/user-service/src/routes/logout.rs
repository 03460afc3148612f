//! Logging out.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::{Clock, CurrentUser};
use db::Db;
use service_kit::OptionalBody;
use uuid::Uuid;

use crate::error::UserError;
use crate::login::Logins;
use crate::routes::refresh::ShownToken;
use crate::store::Sessions;

/// `POST /auth/logout`: ends the session of the access token, and the one of a refresh token that is shown. Whoever has
/// neither is logged out already.
#[utoipa::path(
    post, path = "/auth/logout", tag = "auth", request_body = Option<ShownToken>,
    responses((status = 204, description = "the session is over, everywhere")),
)]
#[tracing::instrument(skip_all)]
pub async fn logout(
    CurrentUser(user): CurrentUser,
    OptionalBody(shown): OptionalBody<ShownToken>,
    db: Data<Db>,
    logins: Data<Logins>,
    clock: Data<Clock>,
) -> Result<HttpResponse, UserError> {
    let now = clock.now();
    let mut ended: Vec<Uuid> = user.iter().map(auth::User::session_id).collect();

    let mut tx = db.begin().await?;
    if let Some(token) = shown.and_then(|shown| shown.parse()) {
        // The newest token or the one before: whoever logs out may have missed the last answer.
        let session = Sessions(&mut tx).find_by_token(&token).await?;
        let shown = session.filter(|session| {
            session.is_newest(&token) || session.was_just_replaced(&token, now, logins.lifetimes.session)
        });
        ended.extend(shown.map(|session| session.id));
    }
    for session in &ended {
        Sessions(&mut tx).end(*session, now).await?;
    }
    tx.commit().await?;

    for session in ended {
        logins.take_back(session, now);
        tracing::info!(session.id = %session, "logged out");
    }
    Ok(HttpResponse::NoContent().finish())
}
