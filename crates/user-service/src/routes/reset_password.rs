//! Setting a new password with the link in a mail.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::Anyone;
use db::Db;
use garde::Validate;
use serde::Deserialize;
use service_kit::{Body, RequestError};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::context::RequestContext;
use crate::domain::{Entry, Event, MailKind, MailToken, TokenPurpose, password};
use crate::error::UserError;
use crate::mail::Outbox;
use crate::passwords::Passwords;
use crate::reclaim;
use crate::sessions::Sessions;
use crate::sessions::revocation::RevokingTx;
use crate::store::{AuditLogRows, MailTokenRows, OutboxRows, UserRows};

/// The token of a link that resets a password, and the new password.
#[derive(Deserialize, Validate, ToSchema)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct ResetPassword {
    /// The token: the part of the link after `#token=`.
    #[schema(max_length = 43, example = "the-token-in-the-link")]
    token: String,
    /// 8 to 128 characters, not one of the most common passwords, and neither the email address nor the name.
    #[schema(
        min_length = 8,
        max_length = 128,
        format = "password",
        example = "another horse battery"
    )]
    new_password: String,
}

/// `POST /auth/password/reset`: sets a new password, and ends all sessions of the user. The link works once, also for users who had no
/// password. It proves that the user reads the mails to the address, so the address is then verified.
#[utoipa::path(
    post, path = "/auth/password/reset", tag = "auth", request_body = ResetPassword,
    responses(
        (status = 204, description = "the password is set"),
        (status = 400, description = "`invalid_link`: the link is unknown, was used already, or is older than 30 minutes, or the password was changed since, or the user is disabled"),
        (status = 422, description = "`new_password` is not allowed. The link still works"),
        (status = 503, description = "`hashing_busy`: too many passwords are being hashed. The link still works", headers(("retry-after" = u32))),
    ),
)]
#[tracing::instrument(skip_all)]
pub async fn reset_password(
    _: Anyone,
    Body(reset): Body<ResetPassword>,
    db: Data<Db>,
    passwords: Data<Passwords>,
    sessions: Data<Sessions>,
    outbox: Data<Outbox>,
    context: RequestContext,
) -> Result<HttpResponse, UserError> {
    let token = MailToken::parse(&reset.token).ok_or(UserError::InvalidLink)?;
    passwords.require_capacity()?;
    let account = MailTokenRows(&mut db.read().await?)
        .find(&token, TokenPurpose::ResetPassword, context.time())
        .await?;
    let account = account.ok_or(UserError::InvalidLink)?;
    password::check(&reset.new_password, &[&account.email, &account.name])
        .map_err(|why| RequestError::field("new_password", why))?;

    let hash = passwords.hash(&reset.new_password).await?;
    let replace = async |tx: &mut RevokingTx<'_>| {
        let user = set_password(tx, &token, account.id, &hash, &context).await?;
        outbox.add(tx, MailKind::PasswordChanged, user, &context).await?;
        Ok::<_, UserError>(())
    };
    sessions.transaction(&db, replace).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Spends the token and sets the password. Returns the id of the user. Of several concurrent calls with one token, one succeeds.
async fn set_password(
    tx: &mut RevokingTx<'_>,
    token: &MailToken,
    user: Uuid,
    hash: &str,
    context: &RequestContext,
) -> Result<Uuid, UserError> {
    let now = context.time();
    // Every transaction locks a user before the user's other rows.
    let account = UserRows(tx).lock(user).await?;
    let account = account
        .filter(|account| !account.disabled)
        .ok_or(UserError::InvalidLink)?;
    if !MailTokenRows(tx).spend(token).await? {
        return Err(UserError::InvalidLink);
    }

    if account.email_verified {
        tx.end_all(account.id, now).await?;
        MailTokenRows(tx)
            .delete_of(account.id, TokenPurpose::ResetPassword)
            .await?;
    } else {
        // The user reads the mails to the address, so this is its owner.
        reclaim::remove_access(tx, account.id, now).await?;
        for event in [Event::EmailVerified, Event::AccountReclaimed] {
            AuditLogRows(tx)
                .add(&Entry::of(event, account.id), context)
                .await?;
        }
    }
    OutboxRows(tx).delete_unsent_resets(account.id).await?;
    UserRows(tx).reset_password(account.id, hash, now).await?;
    let entry = Entry::of(Event::PasswordReset, account.id);
    AuditLogRows(tx).add(&entry, context).await?;
    Ok(account.id)
}
