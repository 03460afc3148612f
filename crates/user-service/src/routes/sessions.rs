//! Listing the caller's sessions.

use actix_web::web::{Data, Json};
use auth::VerifyToken;
use chrono::{DateTime, Utc};
use db::Db;
use serde::Serialize;
use service_kit::{Page, Paging};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::context::RequestContext;
use crate::domain::ListedSession;
use crate::error::UserError;
use crate::store::SessionRows;

/// A session of the caller.
#[derive(Serialize, ToSchema)]
#[schema(as = ListedSession)]
pub(crate) struct SessionResponse {
    /// The id of the session.
    #[schema(example = "019b76da-a800-7e53-a4d8-1c6b3f9e2d33")]
    id: Uuid,
    /// The time of the login.
    created_at: DateTime<Utc>,
    /// The time of the login or of the last refresh.
    last_used_at: DateTime<Utc>,
    /// The client's IP address at the login or at the last refresh.
    #[schema(max_length = 45, example = "203.0.113.9")]
    ip: String,
    /// The client's `User-Agent` at the login or at the last refresh, cut off after 200 bytes.
    #[schema(max_length = 200, example = "curl/8.5.0")]
    user_agent: String,
    /// How the user authenticated: `password`, or the name of a provider.
    #[schema(max_length = 32, pattern = "^[a-z0-9-]+$", example = "password")]
    method: String,
    /// Whether this is the session of the request's access token.
    #[schema(example = true)]
    current: bool,
}

/// `GET /auth/sessions`: lists the caller's sessions, newest first.
#[utoipa::path(
    get, path = "/auth/sessions", tag = "auth", operation_id = "list_sessions", params(Paging),
    responses((status = 200, body = Page<SessionResponse>)),
)]
pub async fn sessions(
    VerifyToken(user): VerifyToken,
    paging: Paging,
    db: Data<Db>,
    context: RequestContext,
) -> Result<Json<Page<SessionResponse>>, UserError> {
    let mut conn = db.read().await?;
    let sessions = SessionRows(&mut conn)
        .list(user.id(), context.time(), paging.cursor, paging.limit())
        .await?;
    let listed = sessions
        .into_iter()
        .map(|session| SessionResponse::of(session, user.session_id()))
        .collect();
    Ok(Json(Page::of(listed, paging.limit(), |session| session.id)))
}

impl SessionResponse {
    fn of(session: ListedSession, current: Option<Uuid>) -> Self {
        Self {
            id: session.id,
            created_at: session.created_at,
            last_used_at: session.last_used_at,
            ip: session.ip,
            user_agent: session.user_agent,
            method: session.method,
            current: Some(session.id) == current,
        }
    }
}
