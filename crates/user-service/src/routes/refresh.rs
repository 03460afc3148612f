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
use crate::store::{AuditLog, Sessions};

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
    // What was never ours is refused without a turn at writing.
    if Sessions(&mut db.read().await?).find_by_token(&token).await?.is_none() {
        return Err(UserError::InvalidRefreshToken);
    }

    let refresh = async |tx: &mut db::Tx| match logins.refresh(tx, &token, &call).await? {
        Refreshed::Pair(pair) => Ok::<_, UserError>(Ok(pair)),
        Refreshed::Replayed(ended, taking_back) => {
            for session in &ended {
                let detail = format!("session {}", session.id);
                let entry = Entry::failed(Event::RefreshReplayed, Some(session.user_id), &detail);
                AuditLog(tx).add(&entry, &call).await?;
            }
            Ok(Err((ended, taking_back.write_down(tx).await?)))
        }
    };
    match db.transaction(refresh).await? {
        Ok(pair) => Ok(pair.respond()),
        Err((ended, taken_back)) => {
            for session in &ended {
                tracing::warn!(session.id = %session.id, user.id = %session.user_id, "a refresh token was replayed");
            }
            logins.take_back(taken_back);
            Err(UserError::InvalidRefreshToken)
        }
    }
}
