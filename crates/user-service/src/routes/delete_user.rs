//! Deleting somebody.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::IsAdmin;
use db::Db;
use service_kit::Id;

use crate::admin;
use crate::call::Call;
use crate::domain::{Entry, Event};
use crate::error::UserError;
use crate::login::Logins;
use crate::store::{AuditLog, Users};

/// `DELETE /admin/users/{id}`: deletes somebody. Their name and address are gone, and the address is free again; their id stays in
/// orders and in the audit log.
#[utoipa::path(
    delete, path = "/admin/users/{id}", tag = "admin", params(("id" = String, Path)),
    responses(
        (status = 204, description = "they are gone, and so are their sessions"),
        (status = 404, description = "`user_not_found`"),
        (status = 409, description = "`last_admin`: nobody would be one any more"),
    ),
)]
#[tracing::instrument(skip_all, fields(admin.id = %acting.id(), user.id = %id))]
pub async fn delete_user(
    IsAdmin(acting): IsAdmin,
    id: Id,
    db: Data<Db>,
    logins: Data<Logins>,
    call: Call,
) -> Result<HttpResponse, UserError> {
    let entry = Entry::by(Event::UserDeleted, acting.id(), id.0);
    let delete = async |tx: &mut db::Tx| {
        admin::take_turn(tx, acting.id()).await?;
        let account = Users(tx).find(id.0).await?.ok_or(UserError::NotFound)?;
        let taking_back = logins
            .end_all(tx, id.0, call.at())
            .await?
            .ok_or(UserError::NotFound)?;
        Users(tx).delete(id.0).await?;
        if account.is_admin() {
            admin::end_turn(tx).await?;
        }
        AuditLog(tx).add(&entry, &call).await?;
        Ok::<_, UserError>(taking_back.write_down(tx).await?)
    };
    match db.transaction(delete).await {
        Ok(taken_back) => {
            logins.take_back(taken_back);
            tracing::info!("deleted");
            Ok(HttpResponse::NoContent().finish())
        }
        Err(error) => Err(admin::record_refusal(&db, error, entry, &call).await),
    }
}
