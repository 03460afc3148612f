//! Ending one of one's sessions.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::VerifyToken;
use db::Db;
use service_kit::Id;

use crate::call::Call;
use crate::domain::{Entry, Event};
use crate::error::UserError;
use crate::login::Logins;
use crate::store::{AuditLog, Sessions};

/// `DELETE /auth/sessions/{id}`: ends one of the caller's sessions, as on a phone that was lost.
#[utoipa::path(
    delete, path = "/auth/sessions/{id}", tag = "auth", params(("id" = String, Path)),
    responses(
        (status = 204, description = "the session is over, everywhere"),
        (status = 404, description = "`session_not_found`: none of the caller's, or over already"),
    ),
)]
#[tracing::instrument(skip_all, fields(user.id = %user.id(), session.id = %id))]
pub async fn end_session(
    VerifyToken(user): VerifyToken,
    id: Id,
    db: Data<Db>,
    logins: Data<Logins>,
    call: Call,
) -> Result<HttpResponse, UserError> {
    let end = async |tx: &mut db::Tx| {
        // Somebody else's answers as a missing one does, so that ids can't be probed.
        if !Sessions(tx).has(user.id(), id.0, call.at()).await? {
            return Err(UserError::SessionNotFound);
        }
        let (_, taking_back) = logins.end(tx, &[id.0], call.at()).await?;
        let detail = format!("session {id}");
        AuditLog(tx)
            .add(&Entry::of(Event::SessionEnded, user.id()).detail(detail), &call)
            .await?;
        Ok(taking_back.write_down(tx).await?)
    };
    let taken_back = db.transaction(end).await?;

    logins.take_back(taken_back);
    Ok(HttpResponse::NoContent().finish())
}
