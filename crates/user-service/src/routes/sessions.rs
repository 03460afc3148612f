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

/// One session.
#[derive(Serialize, ToSchema)]
#[schema(as = ListedSession)]
pub(crate) struct SessionResponse {
    id: Uuid,
    created_at: DateTime<Utc>,
    /// The time of the login or of the last refresh.
    last_used_at: DateTime<Utc>,
    /// The client's IP address at the login or at the last refresh.
    ip: String,
    user_agent: String,
    /// How the user authenticated.
    #[schema(example = "password")]
    method: String,
    /// Whether this is the session of the request's access token.
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
