//! Removing the link to an account of a provider.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::VerifyToken;
use db::{Conn, Db};
use service_kit::Id;
use uuid::Uuid;

use crate::context::RequestContext;
use crate::domain::{Entry, Event};
use crate::error::UserError;
use crate::openid::OpenId;
use crate::sessions::Sessions;
use crate::sessions::revocation::RevokingTx;
use crate::store::{AuditLogRows, IdentityRows, UserRows};

/// `DELETE /users/me/identities/{id}`: removes the link to an account of a provider. Every other session of the caller ends, because the
/// account may have opened it. If the account has the caller's verified address, the next login with the account links it again.
#[utoipa::path(
    delete, path = "/users/me/identities/{id}", tag = "users", params(("id" = Uuid, Path, example = "019b76da-a800-7d2e-8f30-6c4b7e9a0f66")),
    responses(
        (status = 204, description = "the account is not linked to the caller, and the caller's other sessions have ended"),
        (status = 404, description = "`identity_not_found`: not an identity of the caller"),
        (status = 409, description = "`last_login_method`: the caller has no password and no identity of another configured provider. The way to set a password is `POST /auth/password/forgot`"),
    ),
)]
#[tracing::instrument(skip_all, fields(user.id = %user.id(), identity.id = %id))]
pub async fn unlink_identity(
    VerifyToken(user): VerifyToken,
    id: Id,
    openid: Data<OpenId>,
    db: Data<Db>,
    sessions: Data<Sessions>,
    context: RequestContext,
) -> Result<HttpResponse, UserError> {
    let unlink = async |tx: &mut RevokingTx<'_>| {
        let provider = remove(tx, user.id(), id.0, &openid).await?;
        tx.end_others(user.id(), user.session_id(), context.time())
            .await?;
        let entry = Entry::of(Event::IdentityUnlinked, user.id()).detail(provider);
        Ok::<_, UserError>(AuditLogRows(tx).add(&entry, &context).await?)
    };
    sessions.transaction(&db, unlink).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Removes an identity that is not the last login method, and returns the name of its provider.
async fn remove(tx: &mut Conn, user: Uuid, id: Uuid, openid: &OpenId) -> Result<String, UserError> {
    // Locked, so that two requests can't each remove the other's last login method.
    let account = UserRows(tx)
        .lock(user)
        .await?
        .ok_or(UserError::IdentityNotFound)?;
    let removed = IdentityRows(tx).delete(user, id).await?;
    let provider = removed.ok_or(UserError::IdentityNotFound)?;
    let others = IdentityRows(tx).providers(user).await?;
    // The operator may have removed a provider from the configuration.
    let is_usable = |name: &String| openid.providers.find(name).is_some();
    if account.password_hash.is_none() && !others.iter().any(is_usable) {
        return Err(UserError::LastLoginMethod);
    }
    Ok(provider)
}
