//! Looking at the signing keys.

use actix_web::web::{Data, Json};
use auth::IsAdmin;
use chrono::{DateTime, Utc};
use db::Db;
use serde::Serialize;
use service_kit::Page;
use utoipa::ToSchema;

use crate::error::UserError;
use crate::keys::{KeyState, StoredKey};
use crate::routes::Published;
use crate::store::SigningKeyRows;

/// A key, without what signs.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListedKey {
    kid: String,
    #[schema(example = "EdDSA")]
    alg: &'static str,
    state: KeyState,
    created_at: DateTime<Utc>,
    /// When it goes, where that is known.
    not_after: Option<DateTime<Utc>>,
}

/// `GET /admin/keys`: the keys that tokens are signed with, and where each is in its life.
#[utoipa::path(
    get, path = "/admin/keys", tag = "admin",
    responses(
        (status = 200, body = Page<ListedKey>),
        (status = 409, description = "`shared_secret`: one secret signs, and there are no keys"),
    ),
)]
pub async fn keys(
    _: IsAdmin,
    db: Data<Db>,
    published: Data<Published>,
) -> Result<Json<Page<ListedKey>>, UserError> {
    if !published.has_keys() {
        return Err(UserError::SharedSecret);
    }
    let keys = SigningKeyRows(&mut db.read().await?).all().await?;
    Ok(Json(Page {
        items: keys.into_iter().map(ListedKey::from).collect(),
        next_cursor: None,
    }))
}

impl From<StoredKey> for ListedKey {
    fn from(key: StoredKey) -> Self {
        Self {
            kid: key.kid,
            alg: "EdDSA",
            state: key.state,
            created_at: key.created_at,
            not_after: None,
        }
    }
}
