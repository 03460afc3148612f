//! Saying whether an access token is good.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::Data;
use auth::{Anyone, Claims, Clock, Verifier};
use db::Db;
use garde::Validate;
use serde::{Deserialize, Serialize};
use service_kit::Body;
use utoipa::ToSchema;

use crate::domain::User;
use crate::error::UserError;
use crate::login::Logins;

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenToVerify {
    #[garde(skip)]
    token: String,
}

/// What a token is worth. Of one that is not good, nothing is told.
#[derive(Serialize, ToSchema)]
pub(crate) struct Verdict {
    valid: bool,
    /// Whoever it speaks for, as they are now.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<User>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    claims: Option<Claims>,
}

/// `POST /auth/verify`: whether a person's access token is good now: signed here, not expired, not taken back.
#[utoipa::path(
    post, path = "/auth/verify", tag = "auth", request_body = TokenToVerify,
    responses((status = 200, body = Verdict), (status = 422, description = "a field is missing")),
)]
#[tracing::instrument(skip_all)]
pub async fn verify(
    _: Anyone,
    Body(TokenToVerify { token }): Body<TokenToVerify>,
    verifier: Data<Verifier>,
    db: Data<Db>,
    logins: Data<Logins>,
    clock: Data<Clock>,
) -> Result<HttpResponse, UserError> {
    // Without the leeway that verifiers give, so that no answer has an `exp` in the past.
    let claims = logins
        .mint
        .verify_claims(&verifier, &token)
        .filter(|claims| clock.now().timestamp() < claims.exp);
    let account = match &claims {
        Some(claims) => logins.bearer(&db, claims).await?,
        None => None,
    };
    let valid = account.is_some();
    let verdict = Verdict {
        valid,
        user: account.map(User::from),
        claims: claims.filter(|_| valid),
    };
    // Nobody keeps a copy on the way: it says who somebody is, and may be otherwise the next moment.
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(verdict))
}
