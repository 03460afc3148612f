//! Logging the caller out everywhere.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::VerifyToken;
use db::Db;
use service_kit::{EmptyObject, OptionalBody};

use crate::context::RequestContext;
use crate::cookies::SessionCookies;
use crate::domain::{Entry, Event};
use crate::error::UserError;
use crate::sessions::Sessions;
use crate::sessions::revocation::RevokingTx;
use crate::store::AuditLogRows;

/// `POST /auth/logout-all`: ends every session of the caller, including the current one, and removes its cookies.
#[utoipa::path(
    post, path = "/auth/logout-all", tag = "auth", request_body = Option<EmptyObject>,
    responses(
        (
            status = 204, description = "all sessions have ended",
            headers(("set-cookie" = String, description = "Removes the access cookie and the refresh cookie")),
        ),
        (status = 404, description = "`user_not_found`: the account was deleted"),
    ),
)]
#[tracing::instrument(skip_all, fields(user.id = %user.id()))]
pub async fn logout_all(
    VerifyToken(user): VerifyToken,
    _: OptionalBody<EmptyObject>,
    db: Data<Db>,
    sessions: Data<Sessions>,
    cookies: Data<SessionCookies>,
    context: RequestContext,
) -> Result<HttpResponse, UserError> {
    let end = async |tx: &mut RevokingTx<'_>| {
        let exists = tx.end_all(user.id(), context.time()).await?;
        if !exists {
            return Err(UserError::UserNotFound);
        }
        let entry = Entry::of(Event::LogoutAll, user.id());
        Ok(AuditLogRows(tx).add(&entry, &context).await?)
    };
    sessions.transaction(&db, end).await?;
    let mut response = HttpResponse::NoContent().finish();
    cookies.clear(&mut response);
    Ok(response)
}
