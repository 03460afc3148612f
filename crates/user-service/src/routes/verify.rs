//! Verifying a user's access token.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::Data;
use auth::{Anyone, Claims, Clock};
use db::Db;
use garde::Validate;
use serde::{Deserialize, Serialize};
use service_kit::Body;
use utoipa::ToSchema;

use crate::domain::UserResponse;
use crate::error::UserError;
use crate::sessions::Sessions;
use crate::tokens::{DocumentedClaims, IssuedTokenVerifier};

/// A token to verify.
#[derive(Deserialize, Validate, ToSchema)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct TokenToVerify {
    /// The access token.
    #[schema(max_length = 8192, example = "header.payload.signature")]
    token: String,
}

/// The result of a verification. For an invalid token, `valid` is the only member.
#[derive(Serialize, ToSchema)]
pub(crate) struct Verdict {
    /// Whether the token is valid.
    #[schema(example = true)]
    valid: bool,
    /// The current data of the token's user.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    user: Option<UserResponse>,
    /// The claims of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DocumentedClaims>, nullable = false)]
    claims: Option<Claims>,
}

/// `POST /auth/verify`: whether a user's access token is valid: signed by this service, not expired and not revoked.
#[utoipa::path(
    post, path = "/auth/verify", tag = "auth", operation_id = "verify_token", request_body = TokenToVerify,
    responses((status = 200, body = Verdict)),
)]
#[tracing::instrument(skip_all)]
pub async fn verify(
    _: Anyone,
    Body(TokenToVerify { token }): Body<TokenToVerify>,
    verifier: Data<IssuedTokenVerifier>,
    db: Data<Db>,
    sessions: Data<Sessions>,
    clock: Data<Clock>,
) -> Result<HttpResponse, UserError> {
    // The expiry is checked again without the leeway of verifiers, so that no valid token has an `exp` in the past.
    let claims = verifier
        .verify_claims(&token)
        .filter(|claims| clock.now().timestamp() < claims.exp);
    let user = match &claims {
        Some(claims) => sessions.active_user(&db, claims).await?,
        None => None,
    };
    let valid = user.is_some();
    let verdict = Verdict {
        valid,
        user: user.map(UserResponse::from),
        claims: claims.filter(|_| valid),
    };
    // The response contains personal data, and may be outdated a moment later.
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(verdict))
}
