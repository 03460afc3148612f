//! Where one is logged in.

use actix_web::web::{Data, Json};
use auth::VerifyToken;
use chrono::{DateTime, Utc};
use db::Db;
use garde::Validate;
use serde::{Deserialize, Serialize};
use service_kit::{Cursor, Limit, Page, Query};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::call::Call;
use crate::error::UserError;
use crate::store::{OpenSession, Sessions};

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SessionsQuery {
    /// How many items a page has: 1 to 100, by default 20.
    #[garde(skip)]
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[garde(skip)]
    #[serde(default)]
    #[param(value_type = Option<String>)]
    cursor: Cursor,
}

/// One login.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListedSession {
    id: Uuid,
    created_at: DateTime<Utc>,
    /// When its tokens were last renewed.
    last_used_at: DateTime<Utc>,
    /// Where from, then.
    ip: String,
    user_agent: String,
    /// How its bearer proved who they are.
    #[schema(example = "password")]
    method: String,
    /// Whether it is the one that asks.
    current: bool,
}

/// `GET /auth/sessions`: the caller's sessions, the newest first.
#[utoipa::path(
    get, path = "/auth/sessions", tag = "auth", params(SessionsQuery),
    responses(
        (status = 200, body = Page<ListedSession>),
        (status = 400, description = "a parameter is not valid"),
    ),
)]
pub async fn sessions(
    VerifyToken(user): VerifyToken,
    Query(query): Query<SessionsQuery>,
    db: Data<Db>,
    call: Call,
) -> Result<Json<Page<ListedSession>>, UserError> {
    let mut conn = db.read().await?;
    let sessions = Sessions(&mut conn)
        .list(user.id(), call.at(), query.cursor, query.limit)
        .await?;
    let listed = sessions
        .into_iter()
        .map(|session| ListedSession::of(session, user.session_id()))
        .collect();
    Ok(Json(Page::of(listed, query.limit, |session| session.id)))
}

impl ListedSession {
    fn of(session: OpenSession, current: Uuid) -> Self {
        let OpenSession {
            id,
            created_at,
            last_used_at,
            ip,
            user_agent,
            method,
        } = session;
        Self {
            id,
            created_at,
            last_used_at,
            ip,
            user_agent,
            method,
            current: id == current,
        }
    }
}
