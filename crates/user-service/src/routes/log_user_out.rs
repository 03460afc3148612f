//! Logging a user out everywhere.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::IsAdmin;
use db::Db;
use service_kit::{EmptyObject, Id, OptionalBody};

use crate::admin;
use crate::context::RequestContext;
use crate::domain::{Entry, Event};
use crate::error::UserError;
use crate::sessions::Sessions;
use crate::sessions::revocation::RevokingTx;
use crate::store::AuditLogRows;

/// `POST /admin/users/{id}/logout`: ends every session of a user.
#[utoipa::path(
    post, path = "/admin/users/{id}/logout", tag = "admin", params(("id" = Uuid, Path)),
    request_body = Option<EmptyObject>,
    responses(
        (status = 204, description = "all sessions of the user have ended"),
        (status = 404, description = "`user_not_found`"),
    ),
)]
#[tracing::instrument(skip_all, fields(admin.id = %admin.id(), user.id = %id))]
pub async fn log_user_out(
    IsAdmin(admin): IsAdmin,
    id: Id,
    _: OptionalBody<EmptyObject>,
    db: Data<Db>,
    sessions: Data<Sessions>,
    context: RequestContext,
) -> Result<HttpResponse, UserError> {
    let end = async |tx: &mut RevokingTx<'_>| {
        admin::require_admin(tx, admin.id()).await?;
        let exists = tx.end_all(id.0, context.time()).await?;
        if !exists {
            return Err(UserError::UserNotFound);
        }
        let entry = Entry::by(Event::UserLoggedOut, admin.id(), id.0);
        Ok(AuditLogRows(tx).add(&entry, &context).await?)
    };
    match sessions.transaction(&db, end).await {
        Ok(()) => Ok(HttpResponse::NoContent().finish()),
        Err(error) => {
            let entry = Entry::by(Event::UserLoggedOut, admin.id(), id.0);
            Err(admin::record_refusal(&db, error, entry, &context).await)
        }
    }
}
