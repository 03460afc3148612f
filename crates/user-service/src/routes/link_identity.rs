//! Beginning to link an account of a provider to the caller.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::VerifyToken;
use db::Db;
use garde::Validate;
use serde::{Deserialize, Serialize};
use service_kit::{Body, RequestError};
use utoipa::ToSchema;

use crate::context::RequestContext;
use crate::cookies::NotFromAnotherSite;
use crate::error::UserError;
use crate::openid::{OpenId, Purpose};
use crate::store::UserRows;

/// A provider whose account is to be linked.
#[derive(Deserialize, Validate, ToSchema)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct LinkIdentity {
    /// The name of the provider.
    #[schema(max_length = 32, pattern = "^[a-z0-9-]+$", example = "google")]
    provider: String,
    /// The page to which the browser goes afterwards: a path, or a URL whose origin is the platform's own or is in `CORS_ORIGINS`.
    /// Without it, the response to the callback is the identity.
    #[schema(max_length = 1024, example = "/")]
    return_to: Option<String>,
}

/// Where to send the browser.
#[derive(Serialize, ToSchema)]
pub struct LinkStarted {
    /// The provider's page to log in.
    #[schema(
        format = "uri",
        max_length = 8192,
        example = "https://accounts.google.com/o/oauth2/v2/auth?response_type=code"
    )]
    url: String,
}

/// `POST /users/me/identities`: begins to link an account of a provider to the caller. Send the same browser to the URL in the response,
/// within 10 minutes. The provider then sends it to `/auth/{provider}/callback`, which links the account if the caller's session
/// continues. This is not a `GET`, so that a page of another site can't link its own account.
#[utoipa::path(
    post, path = "/users/me/identities", tag = "users", operation_id = "link_identity", request_body = LinkIdentity,
    responses(
        (status = 200, body = LinkStarted, headers(("set-cookie" = String, description = "an encrypted cookie that binds the login to this browser"))),
        (status = 400, description = "`invalid_return_to`: not a page to which browsers may be sent"),
        (status = 404, description = "`user_not_found`: the account was deleted"),
        (status = 409, description = "`email_not_verified`: the caller must verify the email address first"),
        (status = 422, description = "there is no such `provider`"),
        (status = 502, description = "`provider_error`: the provider's answer is not valid"),
        (status = 503, description = "`provider_unavailable`: the provider can't be reached", headers(("retry-after" = u32))),
    ),
)]
#[tracing::instrument(skip_all, fields(user.id = %user.id()))]
pub async fn link_identity(
    VerifyToken(user): VerifyToken,
    _: NotFromAnotherSite,
    Body(link): Body<LinkIdentity>,
    openid: Data<OpenId>,
    db: Data<Db>,
    context: RequestContext,
) -> Result<HttpResponse, UserError> {
    let provider = openid
        .providers
        .find(&link.provider)
        .ok_or_else(|| RequestError::field("provider", "is not a provider of this platform"))?;
    let return_to = openid.return_to(link.return_to.as_deref())?;
    let account = UserRows(&mut db.read().await?).find(user.id()).await?;
    let account = account.ok_or(UserError::UserNotFound)?;
    // A squatter must not link an account to another person's address, before that person verifies it.
    if !account.email_verified {
        return Err(UserError::EmailNotVerified);
    }

    // Each token of a user has a session.
    let session = user.session_id().ok_or(UserError::SessionNotFound)?;
    let user = user.id();
    let purpose = Purpose::Link { user, session };
    let (url, cookie) = openid.begin(provider, purpose, return_to, context.time()).await?;
    Ok(HttpResponse::Ok()
        .cookie(cookie)
        .json(LinkStarted { url: url.into() }))
}
