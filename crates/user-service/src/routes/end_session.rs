//! Ending a session of the caller.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::VerifyToken;
use db::Db;
use service_kit::Id;

use crate::context::RequestContext;
use crate::cookies::SessionCookies;
use crate::domain::{Entry, Event};
use crate::error::UserError;
use crate::sessions::Sessions;
use crate::sessions::revocation::RevokingTx;
use crate::store::{AuditLogRows, SessionRows};

/// `DELETE /auth/sessions/{id}`: ends one of the caller's sessions, for example on a lost phone. If it is the current one, the response
/// removes its cookies.
#[utoipa::path(
    delete, path = "/auth/sessions/{id}", tag = "auth", params(("id" = Uuid, Path, example = "019b76da-a800-7e53-a4d8-1c6b3f9e2d33")),
    responses(
        (status = 204, headers(("set-cookie" = String, description = "removes both cookies, if it was the current session")), description = "the session has ended"),
        (status = 404, description = "`session_not_found`: not a session of the caller, or it has ended already"),
    ),
)]
#[tracing::instrument(skip_all, fields(user.id = %user.id(), session.id = %id))]
pub async fn end_session(
    VerifyToken(user): VerifyToken,
    id: Id,
    db: Data<Db>,
    sessions: Data<Sessions>,
    cookies: Data<SessionCookies>,
    context: RequestContext,
) -> Result<HttpResponse, UserError> {
    let end = async |tx: &mut RevokingTx<'_>| {
        // The response for another user's session is the same as for a missing session, so that a caller can't probe ids.
        let is_own = SessionRows(tx).is_listed(user.id(), id.0, context.time()).await?;
        // A concurrent request may have ended the session since this check.
        if !is_own || tx.end(id.0, context.time()).await?.is_none() {
            return Err(UserError::SessionNotFound);
        }
        let entry = Entry::of(Event::SessionEnded, user.id()).detail(format!("session {id}"));
        Ok(AuditLogRows(tx).add(&entry, &context).await?)
    };
    sessions.transaction(&db, end).await?;
    let mut response = HttpResponse::NoContent().finish();
    if user.session_id() == Some(id.0) {
        cookies.clear(&mut response);
    }
    Ok(response)
}
