//! Logging out everywhere.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::VerifyToken;
use db::Db;
use service_kit::{EmptyObject, OptionalBody};

use crate::call::Call;
use crate::domain::{Entry, Event};
use crate::error::UserError;
use crate::login::Logins;
use crate::store::AuditLog;

/// `POST /auth/logout-all`: ends every session of the caller, this one too.
#[utoipa::path(
    post, path = "/auth/logout-all", tag = "auth",
    responses((status = 204, description = "all sessions are over, everywhere")),
)]
#[tracing::instrument(skip_all, fields(user.id = %user.id()))]
pub async fn logout_all(
    VerifyToken(user): VerifyToken,
    _: OptionalBody<EmptyObject>,
    db: Data<Db>,
    logins: Data<Logins>,
    call: Call,
) -> Result<HttpResponse, UserError> {
    let end = async |tx: &mut db::Tx| {
        let taking_back = logins
            .end_all(tx, user.id(), call.at())
            .await?
            .ok_or(UserError::NotFound)?;
        AuditLog(tx)
            .add(&Entry::of(Event::LogoutAll, user.id()), &call)
            .await?;
        Ok::<_, UserError>(taking_back.write_down(tx).await?)
    };
    let taken_back = db.transaction(end).await?;

    logins.take_back(taken_back);
    Ok(HttpResponse::NoContent().finish())
}
