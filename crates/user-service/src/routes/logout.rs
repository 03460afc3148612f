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
    let mut ending: Vec<Uuid> = user.iter().map(auth::User::session_id).collect();
    if let Some(token) = shown.and_then(|shown| shown.parse()) {
        // The newest token or the one before: whoever logs out may have missed the last answer.
        let session = Sessions(&mut db.read().await?).find_by_token(&token).await?;
        let shown = session.filter(|session| {
            session.is_newest(&token) || session.was_just_replaced(&token, now, logins.lifetimes.session)
        });
        ending.extend(shown.map(|session| session.id));
    }
    if ending.is_empty() {
        return Ok(HttpResponse::NoContent().finish());
    }

    let mut ended = Vec::new();
    let mut tx = db.begin().await?;
    for session in ending {
        ended.extend(
            Sessions(&mut tx).end(session, now).await?.map(|access_expires_at| (session, access_expires_at)),
        );
    }
    tx.commit().await?;

    for (session, access_expires_at) in ended {
        logins.take_back(session, access_expires_at);
        tracing::info!(session.id = %session, "logged out");
    }
    Ok(HttpResponse::NoContent().finish())
}
