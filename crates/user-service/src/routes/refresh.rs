//! Carrying a session on.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::{Anyone, Clock};
use db::Db;
use garde::Validate;
use serde::Deserialize;
use service_kit::Body;
use utoipa::ToSchema;

use crate::domain::RefreshToken;
use crate::error::UserError;
use crate::login::{Logins, Refreshed, TokenPair};
use crate::store::Sessions;

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShownToken {
    #[garde(skip)]
    refresh_token: String,
}

impl ShownToken {
    /// The token, if it has the form of one.
    pub(crate) fn parse(&self) -> Option<RefreshToken> {
        RefreshToken::parse(&self.refresh_token)
    }
}

/// `POST /auth/refresh`: gives the next pair for a refresh token, which is good once. Shown again within `REFRESH_GRACE` it
/// gives the same next one, for whoever missed the answer; later it ends the session, since it may be in two hands.
#[utoipa::path(
    post, path = "/auth/refresh", tag = "auth", request_body = ShownToken,
    responses(
        (status = 200, body = TokenPair),
        (status = 401, description = "`invalid_refresh_token`"),
        (status = 422, description = "a field is missing"),
    ),
)]
#[tracing::instrument(skip_all)]
pub async fn refresh(
    _: Anyone,
    Body(shown): Body<ShownToken>,
    db: Data<Db>,
    logins: Data<Logins>,
    clock: Data<Clock>,
) -> Result<HttpResponse, UserError> {
    let token = shown.parse().ok_or(UserError::InvalidRefreshToken)?;
    let now = clock.now();
    // What was never ours is refused without a turn at writing.
    if Sessions(&mut db.read().await?).find_by_token(&token).await?.is_none() {
        return Err(UserError::InvalidRefreshToken);
    }

    let refreshed = db.transaction(async |tx| logins.refresh(tx, &token, now).await).await?;

    match refreshed {
        Refreshed::Pair(pair) => Ok(pair.respond()),
        Refreshed::Replayed { session, user, access_expires_at } => {
            logins.take_back(session, access_expires_at);
            tracing::warn!(session.id = %session, user.id = %user, "a refresh token was replayed");
            Err(UserError::InvalidRefreshToken)
        }
    }
}
