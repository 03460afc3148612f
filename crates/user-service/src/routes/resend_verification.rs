//! Requesting another mail that verifies the caller's address.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::VerifyToken;
use db::{Db, Tx};
use service_kit::{EmptyObject, OptionalBody};

use crate::context::RequestContext;
use crate::domain::MailKind;
use crate::error::UserError;
use crate::mail::Outbox;
use crate::store::UserRows;

/// `POST /auth/email/resend`: sends another mail with a link that verifies the caller's address. Sends nothing if the address is verified
/// already. A user gets at most 5 such mails within an hour.
#[utoipa::path(
    post, path = "/auth/email/resend", tag = "auth", request_body = Option<EmptyObject>,
    responses(
        (status = 202, description = "a mail is sent unless the address is verified already"),
        (status = 404, description = "`user_not_found`: the account was deleted"),
    ),
)]
#[tracing::instrument(skip_all, fields(user.id = %user.id()))]
pub async fn resend_verification(
    VerifyToken(user): VerifyToken,
    _: OptionalBody<EmptyObject>,
    db: Data<Db>,
    outbox: Data<Outbox>,
    context: RequestContext,
) -> Result<HttpResponse, UserError> {
    let add = async |tx: &mut Tx| {
        let account = UserRows(tx).find(user.id()).await?;
        let account = account.ok_or(UserError::UserNotFound)?;
        if !account.email_verified {
            outbox
                .add(tx, MailKind::VerifyEmail, account.id, &context)
                .await?;
        }
        Ok::<_, UserError>(())
    };
    db.transaction(add).await?;
    Ok(HttpResponse::Accepted().finish())
}
