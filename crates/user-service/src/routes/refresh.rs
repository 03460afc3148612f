//! Carrying a session on.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::Anyone;
use db::Db;
use garde::Validate;
use serde::Deserialize;
use service_kit::Body;
use utoipa::ToSchema;

use crate::call::Call;
use crate::domain::{Entry, Event, RefreshToken};
use crate::error::UserError;
use crate::login::{Logins, Refreshed, TokenPair};

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
    call: Call,
) -> Result<HttpResponse, UserError> {
    let token = shown.parse().ok_or(UserError::InvalidRefreshToken)?;
    match logins.refresh(&token, &call).await? {
        Refreshed::Pair(pair) => Ok(pair.respond()),
        Refreshed::Replayed(session) => {
            let detail = format!("session {}", session.id);
            let entry = |user| Entry::failed(Event::RefreshReplayed, Some(user), &detail);
            logins.end_and_record(&db, &[session.id], &call, entry).await?;
            tracing::warn!(session.id = %session.id, user.id = %session.user_id, "a refresh token was replayed");
            Err(UserError::InvalidRefreshToken)
        }
    }
}
