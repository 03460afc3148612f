//! Verifying a user's access token.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::Data;
use auth::{Anyone, Claims, Clock, Verifier};
use db::Db;
use garde::Validate;
use serde::{Deserialize, Serialize};
use service_kit::Body;
use utoipa::ToSchema;

use crate::domain::UserResponse;
use crate::error::UserError;
use crate::sessions::Sessions;

#[derive(Deserialize, Validate, ToSchema)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct TokenToVerify {
    token: String,
}

/// The result. It says nothing else about an invalid token.
#[derive(Serialize, ToSchema)]
pub(crate) struct Verdict {
    valid: bool,
    /// The token's user, with their current data.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    user: Option<UserResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    claims: Option<Claims>,
}

/// `POST /auth/verify`: whether a user's access token is valid: signed by this service, not expired and not revoked.
#[utoipa::path(
    post, path = "/auth/verify", tag = "auth", request_body = TokenToVerify,
    responses((status = 200, body = Verdict)),
)]
#[tracing::instrument(skip_all)]
pub async fn verify(
    _: Anyone,
    Body(TokenToVerify { token }): Body<TokenToVerify>,
    verifier: Data<Verifier>,
    db: Data<Db>,
    sessions: Data<Sessions>,
    clock: Data<Clock>,
) -> Result<HttpResponse, UserError> {
    // Without the leeway of verifiers, so that no valid token has an `exp` in the past.
    let claims = sessions
        .tokens
        .verify_claims(&verifier, &token)
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
    // The response holds personal data, and may be wrong a moment later.
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(verdict))
}
