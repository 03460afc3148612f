//! Deleting a user.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::IsAdmin;
use db::Db;
use service_kit::Id;
use uuid::Uuid;

use crate::admin;
use crate::context::RequestContext;
use crate::domain::{Entry, Event};
use crate::error::UserError;
use crate::sessions::Sessions;
use crate::sessions::revocation::RevokingTx;
use crate::store::{AuditLogRows, UserRows};

/// `DELETE /admin/users/{id}`: deletes a user, including the stored name and email address. The address can then be
/// registered again. The user's id remains in orders and in the audit log.
#[utoipa::path(
    delete, path = "/admin/users/{id}", tag = "admin", params(("id" = Uuid, Path)),
    responses(
        (status = 204, description = "the user is deleted, and all sessions of the user have ended"),
        (status = 404, description = "`user_not_found`"),
        (status = 409, description = "`last_admin`: no admin would remain"),
    ),
)]
#[tracing::instrument(skip_all, fields(admin.id = %admin.id(), user.id = %id))]
pub async fn delete_user(
    IsAdmin(admin): IsAdmin,
    id: Id,
    db: Data<Db>,
    sessions: Data<Sessions>,
    context: RequestContext,
) -> Result<HttpResponse, UserError> {
    let work = async |tx: &mut RevokingTx<'_>| delete(tx, admin.id(), id.0, &context).await;
    match sessions.transaction(&db, work).await {
        Ok(()) => Ok(HttpResponse::NoContent().finish()),
        Err(error) => {
            let entry = Entry::by(Event::UserDeleted, admin.id(), id.0);
            Err(admin::record_refusal(&db, error, entry, &context).await)
        }
    }
}

async fn delete(
    tx: &mut RevokingTx<'_>,
    actor: Uuid,
    id: Uuid,
    context: &RequestContext,
) -> Result<(), UserError> {
    admin::lock_admins(tx, actor).await?;
    let account = UserRows(tx).find(id).await?.ok_or(UserError::UserNotFound)?;
    let exists = tx.end_all(id, context.time()).await?;
    if !exists {
        return Err(UserError::UserNotFound);
    }
    UserRows(tx).delete(id).await?;
    if account.is_active_admin() {
        admin::require_remaining_admin(tx).await?;
    }
    let entry = Entry::by(Event::UserDeleted, actor, id);
    AuditLogRows(tx).add(&entry, context).await?;
    Ok(())
}
