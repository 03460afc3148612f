//! Logging somebody out.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::IsAdmin;
use db::Db;
use service_kit::{EmptyObject, Id, OptionalBody};

use crate::admin;
use crate::call::Call;
use crate::domain::{Entry, Event};
use crate::error::UserError;
use crate::login::Logins;
use crate::store::AuditLog;

/// `POST /admin/users/{id}/logout`: ends every session of somebody.
#[utoipa::path(
    post, path = "/admin/users/{id}/logout", tag = "admin", params(("id" = String, Path)),
    responses(
        (status = 204, description = "all their sessions are over, everywhere"),
        (status = 404, description = "`user_not_found`"),
    ),
)]
#[tracing::instrument(skip_all, fields(admin.id = %acting.id(), user.id = %id))]
pub async fn log_user_out(
    IsAdmin(acting): IsAdmin,
    id: Id,
    _: OptionalBody<EmptyObject>,
    db: Data<Db>,
    logins: Data<Logins>,
    call: Call,
) -> Result<HttpResponse, UserError> {
    let end = async |tx: &mut db::Tx| {
        admin::check(tx, acting.id()).await?;
        let taking_back = logins
            .end_all(tx, id.0, call.at())
            .await?
            .ok_or(UserError::NotFound)?;
        AuditLog(tx)
            .add(&Entry::by(Event::UserLoggedOut, acting.id(), id.0), &call)
            .await?;
        Ok::<_, UserError>(taking_back.write_down(tx).await?)
    };
    let taken_back = db.transaction(end).await?;

    logins.take_back(taken_back);
    Ok(HttpResponse::NoContent().finish())
}
