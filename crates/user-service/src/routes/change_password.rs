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
use crate::domain::{Account, EmailAddress, Entry, Event, MailKind, TokenPurpose, password};
use crate::error::UserError;
use crate::mail::Outbox;
use crate::passwords::{PasswordCheck, Passwords};
use crate::sessions::Sessions;
use crate::sessions::revocation::RevokingTx;
use crate::store::{AuditLogRows, MailTokenRows, OutboxRows, UserRows};

/// A change of the caller's password.
#[derive(Deserialize, Validate, ToSchema)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The password until now.
    #[schema(max_length = 128, format = "password", example = "correct horse battery")]
    current_password: String,
    /// 8 to 128 characters, not one of the most common passwords, and neither the email address nor the name.
    #[schema(
        min_length = 8,
        max_length = 128,
        format = "password",
        example = "another horse battery"
    )]
    new_password: String,
}

/// `PUT /auth/password`: changes the caller's password, and ends all sessions of the caller except the current one. A wrong current
/// password counts as a failed login. The change is reported to the user by mail, and links that reset the password stop working.
#[utoipa::path(
    put, path = "/auth/password", tag = "auth", request_body = ChangePassword,
    responses(
        (status = 204, description = "the password was changed"),
        (status = 404, description = "`user_not_found`: the account was deleted"),
        (status = 422, description = "`current_password` is wrong, or `new_password` is not allowed"),
        (status = 429, description = "`too_many_attempts`: too many failed logins to this account from this network, or in total from all networks from which the user has not logged in for 180 days; `Retry-After` says when to try again", headers(("retry-after" = u32))),
        (status = 503, description = "`hashing_busy`: too many passwords are being hashed", headers(("retry-after" = u32))),
    ),
)]
#[tracing::instrument(skip_all, fields(user.id = %user.id()))]
pub async fn change_password(
    VerifyToken(user): VerifyToken,
    Body(change): Body<ChangePassword>,
    db: Data<Db>,
    passwords: Data<Passwords>,
    sessions: Data<Sessions>,
    outbox: Data<Outbox>,
    context: RequestContext,
) -> Result<HttpResponse, UserError> {
    passwords.require_capacity()?;
    let account = UserRows(&mut db.read().await?).find(user.id()).await?;
    let account = account.ok_or(UserError::UserNotFound)?;
    password::check(&change.new_password, &[&account.email, &account.name])
        .map_err(|why| RequestError::field("new_password", why))?;

    let check = check_current(&db, &passwords, &account, &change, &context).await?;
    let hash = passwords
        .hash_replacement(&db, &check, &change.new_password)
        .await?;
    let replace = async |tx: &mut RevokingTx<'_>| {
        let is_replaced = replace_password(tx, &account, &hash, user.session_id(), &context).await?;
        if is_replaced {
            passwords.record_success(tx, &check).await?;
            outbox
                .add(tx, MailKind::PasswordChanged, account.id, &context)
                .await?;
        }
        Ok::<_, UserError>(is_replaced)
    };
    if !sessions.transaction(&db, replace).await? {
        let still_there = UserRows(&mut db.read().await?).find(account.id).await?;
        still_there.ok_or(UserError::UserNotFound)?;
        return Err(refuse(
            &db,
            &check,
            &account,
            "the password was changed during the check",
            &context,
        )
        .await);
    }

    Ok(HttpResponse::NoContent().finish())
}

/// Requires that the current password is correct; records a failure otherwise.
async fn check_current(
    db: &Db,
    passwords: &Passwords,
    account: &Account,
    change: &ChangePassword,
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
    Err(refuse(db, &check, account, "wrong password", context).await)
}

/// Records that the current password is wrong, and returns the error for the response.
async fn refuse(
    db: &Db,
    check: &PasswordCheck,
    account: &Account,
    why: &str,
    context: &RequestContext,
) -> UserError {
    let entry = Entry::of(Event::PasswordChanged, account.id).with_failure(why);
    match check.record_failure(db, entry, context).await {
        Ok(()) => RequestError::field("current_password", "is wrong").into(),
        Err(error) => error.into(),
    }
}

/// Replaces the password and ends all other sessions. Returns false and changes nothing if the password was changed after it was
/// checked: the checked password is then wrong.
async fn replace_password(
    tx: &mut RevokingTx<'_>,
    account: &Account,
    hash: &str,
    current_session: Option<Uuid>,
    context: &RequestContext,
) -> Result<bool, sqlx::Error> {
    let is_replaced = UserRows(tx)
        .set_password(account.id, account.password_version, hash, context.time())
        .await?;
    if !is_replaced {
        return Ok(false);
    }
    MailTokenRows(tx)
        .delete_of(account.id, TokenPurpose::ResetPassword)
        .await?;
    OutboxRows(tx).delete_unsent_resets(account.id).await?;
    tx.end_others(account.id, current_session, context.time()).await?;
    let entry = Entry::of(Event::PasswordChanged, account.id);
    AuditLogRows(tx).add(&entry, context).await?;
    Ok(true)
}
