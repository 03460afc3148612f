//! Removing the link to an account of a provider.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::VerifyToken;
use db::{Db, Tx};
use service_kit::Id;
use uuid::Uuid;

use crate::context::RequestContext;
use crate::domain::{Entry, Event};
use crate::error::UserError;
use crate::store::{AuditLogRows, IdentityRows, UserRows};

/// `DELETE /users/me/identities/{id}`: removes the link to an account of a provider. The caller's sessions continue.
#[utoipa::path(
    delete, path = "/users/me/identities/{id}", tag = "users", params(("id" = Uuid, Path, example = "019b76da-a800-7d2e-8f30-6c4b7e9a0f66")),
    responses(
        (status = 204, description = "the account of the provider no longer logs in the caller"),
        (status = 404, description = "`identity_not_found`: not an identity of the caller"),
        (status = 409, description = "`last_way_in`: the caller has no password and no other identity. The way to set a password is `POST /auth/password/forgot`"),
    ),
)]
#[tracing::instrument(skip_all, fields(user.id = %user.id(), identity.id = %id))]
pub async fn unlink_identity(
    VerifyToken(user): VerifyToken,
    id: Id,
    db: Data<Db>,
    context: RequestContext,
) -> Result<HttpResponse, UserError> {
    let work = async |tx: &mut Tx| unlink(tx, user.id(), id.0, &context).await;
    db.transaction(work).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn unlink(tx: &mut Tx, user: Uuid, id: Uuid, context: &RequestContext) -> Result<(), UserError> {
    // Locked, so that two requests can't each remove the other's last way in.
    let account = UserRows(tx)
        .lock(user)
        .await?
        .ok_or(UserError::IdentityNotFound)?;
    let removed = IdentityRows(tx).delete(user, id).await?;
    let provider = removed.ok_or(UserError::IdentityNotFound)?;
    if account.password_hash.is_none() && IdentityRows(tx).count(user).await? == 0 {
        return Err(UserError::LastWayIn);
    }
    let entry = Entry::of(Event::IdentityUnlinked, user).detail(provider);
    Ok(AuditLogRows(tx).add(&entry, context).await?)
}
