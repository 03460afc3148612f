//! Refreshing a session.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::Anyone;
use db::Db;
use garde::Validate;
use serde::Deserialize;
use service_kit::Body;
use utoipa::ToSchema;

use crate::context::RequestContext;
use crate::domain::{Entry, Event, RefreshToken};
use crate::error::UserError;
use crate::sessions::refresh::Refreshed;
use crate::sessions::{Sessions, TokenPair};

/// A refresh token that a client presents.
#[derive(Deserialize, Validate, ToSchema)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct PresentedToken {
    /// The refresh token of the last token pair.
    #[schema(max_length = 43, example = "a-refresh-token")]
    refresh_token: String,
}

impl PresentedToken {
    /// The token, if the text has the form of a refresh token.
    pub(crate) fn parse(&self) -> Option<RefreshToken> {
        RefreshToken::parse(&self.refresh_token)
    }
}

/// `POST /auth/refresh`: exchanges a refresh token, which is valid once, for the next token pair. Within `REFRESH_GRACE`,
/// and until the successor is used, the same token returns the same successor again, for a client that missed the response.
/// Otherwise, presenting the token again ends the session, because two parties may have the token.
#[utoipa::path(
    post, path = "/auth/refresh", tag = "auth", request_body = PresentedToken,
    responses(
        (status = 200, body = TokenPair),
        (
            status = 401,
            description = "`invalid_refresh_token`",
            headers(("www-authenticate" = String, description = "`RefreshToken realm=\"countersign\"`: log in again")),
        ),
    ),
)]
#[tracing::instrument(skip_all)]
pub async fn refresh(
    _: Anyone,
    Body(presented): Body<PresentedToken>,
    db: Data<Db>,
    sessions: Data<Sessions>,
    context: RequestContext,
) -> Result<HttpResponse, UserError> {
    let token = presented.parse().ok_or(UserError::InvalidRefreshToken)?;
    match sessions.refresh(&token, &context).await? {
        Refreshed::Pair(pair) => Ok(pair.respond()),
        Refreshed::Replayed(session) => {
            let detail = format!("session {}", session.id);
            let entry = |user| Entry::failed_by_unknown_actor(Event::RefreshReplayed, Some(user), &detail);
            sessions
                .end_and_record(&db, &[session.id], &context, entry)
                .await?;
            Err(UserError::InvalidRefreshToken)
        }
    }
}
