//! Logging out.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::CurrentUser;
use db::Db;
use service_kit::OptionalBody;
use uuid::Uuid;

use crate::call::Call;
use crate::domain::{Entry, Event};
use crate::error::UserError;
use crate::login::Logins;
use crate::routes::refresh::ShownToken;

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
    call: Call,
) -> Result<HttpResponse, UserError> {
    let mut ending: Vec<Uuid> = user.iter().map(auth::User::session_id).collect();
    if let Some(token) = shown.and_then(|shown| shown.parse()) {
        ending.extend(
            logins
                .find_endable(&mut db.read().await?, &token, call.at())
                .await?,
        );
    }
    if !ending.is_empty() {
        logins
            .end_and_record(&db, &ending, &call, |user| Entry::of(Event::Logout, user))
            .await?;
    }
    Ok(HttpResponse::NoContent().finish())
}
