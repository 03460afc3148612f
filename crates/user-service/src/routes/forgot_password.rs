//! Requesting a password reset.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::Anyone;
use db::{Db, Tx};
use garde::Validate;
use serde::Deserialize;
use service_kit::Body;
use utoipa::ToSchema;

use crate::context::RequestContext;
use crate::domain::EmailAddress;
use crate::error::UserError;
use crate::mail::Outbox;

/// The account whose password is to be reset.
#[derive(Deserialize, Validate, ToSchema)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct ForgotPassword {
    /// The email address. Its form is not checked: no mail is sent to an address that no user has.
    #[schema(max_length = 254, example = "ada@example.com")]
    email: String,
}

/// `POST /auth/password/forgot`: sends a mail with a link that sets a new password, if an enabled user has this address. The link works
/// once, within 30 minutes. The response and its duration don't depend on whether the address is known. A user gets at most 5 such mails
/// within 30 minutes.
#[utoipa::path(
    post, path = "/auth/password/forgot", tag = "auth", request_body = ForgotPassword,
    responses((status = 202, description = "a mail is sent if an enabled user has this address")),
)]
#[tracing::instrument(skip_all)]
pub async fn forgot_password(
    _: Anyone,
    Body(forgot): Body<ForgotPassword>,
    db: Data<Db>,
    outbox: Data<Outbox>,
    context: RequestContext,
) -> Result<HttpResponse, UserError> {
    if let Ok(email) = EmailAddress::parse_existing(&forgot.email) {
        let add = async |tx: &mut Tx| outbox.add_reset(tx, &email, &context).await;
        db.transaction(add).await?;
    }
    Ok(HttpResponse::Accepted().finish())
}
