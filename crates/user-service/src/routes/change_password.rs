//! Changing the caller's password.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::VerifyToken;
use db::Db;
use garde::Validate;
use serde::Deserialize;
use service_kit::{Body, RequestError};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::context::RequestContext;
use crate::domain::{Account, EmailAddress, Entry, Event, password};
use crate::error::UserError;
use crate::passwords::{PasswordCheck, Passwords};
use crate::sessions::Sessions;
use crate::sessions::revocation::RevokingTx;
use crate::store::{AuditLog, Users};

#[derive(Deserialize, Validate, ToSchema)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct ChangeOfPassword {
    #[schema(format = "password")]
    current_password: String,
    /// 8 to 128 characters, not one of the most common passwords, and neither the email address nor the name.
    #[schema(min_length = 8, max_length = 128, format = "password")]
    new_password: String,
}

/// `PUT /auth/password`: changes the caller's password, and ends all their sessions but the current one. A wrong current password
/// counts as a failed login.
#[utoipa::path(
    put, path = "/auth/password", tag = "auth", request_body = ChangeOfPassword,
    responses(
        (status = 204, description = "the password was changed"),
        (status = 404, description = "`user_not_found`: the account was deleted"),
        (status = 422, description = "`current_password` is wrong, or `new_password` is not allowed"),
        (status = 429, description = "`too_many_attempts` at this account; `Retry-After` says when to try again", headers(("retry-after" = u32))),
        (status = 503, description = "`hashing_busy`: every hashing slot is taken", headers(("retry-after" = u32))),
    ),
)]
#[tracing::instrument(skip_all, fields(user.id = %user.id()))]
pub async fn change_password(
    VerifyToken(user): VerifyToken,
    Body(change): Body<ChangeOfPassword>,
    db: Data<Db>,
    passwords: Data<Passwords>,
    sessions: Data<Sessions>,
    context: RequestContext,
) -> Result<HttpResponse, UserError> {
    passwords.require_room()?;
    let account = Users(&mut db.read().await?).find(user.id()).await?;
    let account = account.ok_or(UserError::NotFound)?;
    password::check(&change.new_password, &[&account.email, &account.name])
        .map_err(|why| RequestError::field("new_password", why))?;

    let check = check_current(&db, &passwords, &account, &change, &context).await?;
    let hash = passwords.hash_after(&db, &check, &change.new_password).await?;
    let replace = async |tx: &mut RevokingTx<'_>| {
        replace_password(tx, &account, &hash, user.session_id(), &context).await?;
        passwords.accept(tx, &check, &account, &context).await?;
        Ok::<_, UserError>(())
    };
    sessions.transaction(&db, replace).await?;

    tracing::info!("the password was changed");
    Ok(HttpResponse::NoContent().finish())
}

/// Requires that the current password is correct; records a failure otherwise.
async fn check_current(
    db: &Db,
    passwords: &Passwords,
    account: &Account,
    change: &ChangeOfPassword,
    context: &RequestContext,
) -> Result<PasswordCheck, UserError> {
    let email = EmailAddress::parse_existing(&account.email).ok();
    let check = passwords
        .check(
            db,
            email.as_ref(),
            Some(account),
            &change.current_password,
            context,
        )
        .await?;
    if check.is_correct {
        return Ok(check);
    }
    let entry = Entry::of(Event::PasswordChanged, account.id).failing("wrong password");
    check.record_failure(db, entry, context).await?;
    Err(wrong_password())
}

/// Replaces the password and ends all other sessions. If the password was changed since it was checked, it counts as wrong.
async fn replace_password(
    tx: &mut RevokingTx<'_>,
    account: &Account,
    hash: &str,
    current_session: Uuid,
    context: &RequestContext,
) -> Result<(), UserError> {
    let expected = account.password_hash.as_deref();
    let is_replaced = Users(tx)
        .set_password(account.id, expected, hash, context.time())
        .await?;
    if !is_replaced {
        return Err(wrong_password());
    }
    tx.end_others(account.id, current_session, context.time()).await?;
    let entry = Entry::of(Event::PasswordChanged, account.id);
    AuditLog(tx).add(&entry, context).await?;
    Ok(())
}

fn wrong_password() -> UserError {
    RequestError::field("current_password", "is wrong").into()
}
