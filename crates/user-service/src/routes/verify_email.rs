//! Verifying an email address.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::Anyone;
use db::{Db, Tx};
use garde::Validate;
use serde::Deserialize;
use service_kit::Body;
use utoipa::ToSchema;

use crate::context::RequestContext;
use crate::domain::{Entry, Event, MailToken, TokenPurpose};
use crate::error::UserError;
use crate::store::{AuditLogRows, MailTokenRows, UserRows};

/// The token of a link that verifies an address.
#[derive(Deserialize, Validate, ToSchema)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct VerifyEmail {
    /// The token: the part of the link after `#token=`.
    #[schema(max_length = 43, example = "the-token-in-the-link")]
    token: String,
}

/// `POST /auth/email/verify`: verifies the email address to which the link was sent.
#[utoipa::path(
    post, path = "/auth/email/verify", tag = "auth", request_body = VerifyEmail,
    responses(
        (status = 204, description = "the address is verified"),
        (status = 400, description = "`invalid_link`: the link is unknown, was used already, or is older than 24 hours, or the user is disabled"),
    ),
)]
#[tracing::instrument(skip_all)]
pub async fn verify_email(
    _: Anyone,
    Body(request): Body<VerifyEmail>,
    db: Data<Db>,
    context: RequestContext,
) -> Result<HttpResponse, UserError> {
    let token = MailToken::parse(&request.token).ok_or(UserError::InvalidLink)?;
    let work = async |tx: &mut Tx| verify(tx, &token, &context).await;
    db.transaction(work).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn verify(tx: &mut Tx, token: &MailToken, context: &RequestContext) -> Result<(), UserError> {
    let (now, purpose) = (context.time(), TokenPurpose::VerifyEmail);
    let account = MailTokenRows(tx).find(token, purpose, now).await?;
    let account = account.ok_or(UserError::InvalidLink)?;
    // Every transaction locks a user before the user's other rows.
    let account = UserRows(tx).lock(account.id).await?;
    let account = account
        .filter(|account| !account.disabled)
        .ok_or(UserError::InvalidLink)?;
    if !MailTokenRows(tx).spend(token).await? {
        return Err(UserError::InvalidLink);
    }

    MailTokenRows(tx).delete_of(account.id, purpose).await?;
    if account.email_verified {
        return Ok(());
    }
    UserRows(tx).set_email_verified(account.id, now).await?;
    let entry = Entry::of(Event::EmailVerified, account.id);
    AuditLogRows(tx).add(&entry, context).await?;
    Ok(())
}
