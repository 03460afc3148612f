//! Listing the signing keys.

use actix_web::web::{Data, Json};
use auth::IsAdmin;
use chrono::{DateTime, Utc};
use db::Db;
use serde::Serialize;
use service_kit::Page;
use utoipa::ToSchema;

use crate::domain::{KeyState, SigningAlgorithm, SigningKey};
use crate::error::UserError;
use crate::store::SigningKeyRows;
use crate::tokens::SigningKeys;

/// A signing key, without its private part.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListedKey {
    /// The id of the key: its thumbprint (RFC 7638).
    #[schema(
        min_length = 43,
        max_length = 43,
        pattern = "^[A-Za-z0-9_-]+$",
        example = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    )]
    kid: String,
    /// The algorithm of its signatures.
    alg: SigningAlgorithm,
    /// Whether it signs.
    state: KeyState,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// The time until which a retiring key is published. Null for other keys.
    #[schema(required = true, example = json!(null))]
    not_after: Option<DateTime<Utc>>,
}

/// `GET /admin/keys`: lists the signing keys and their states.
#[utoipa::path(
    get, path = "/admin/keys", tag = "admin", operation_id = "list_keys",
    responses(
        (status = 200, body = Page<ListedKey>),
        (status = 409, description = "`shared_secret`: a shared secret signs, and there are no keys"),
    ),
)]
pub async fn keys(
    _: IsAdmin,
    db: Data<Db>,
    keys: Data<SigningKeys>,
) -> Result<Json<Page<ListedKey>>, UserError> {
    if keys.is_shared_secret() {
        return Err(UserError::NoPublishedKeys);
    }
    Ok(Json(list(&db).await?))
}

/// All keys, on one page.
pub(super) async fn list(db: &Db) -> Result<Page<ListedKey>, sqlx::Error> {
    let keys = SigningKeyRows(&mut db.read().await?).all().await?;
    Ok(Page {
        items: keys.0.into_iter().map(ListedKey::from).collect(),
        next_cursor: None,
    })
}

impl From<SigningKey> for ListedKey {
    fn from(key: SigningKey) -> Self {
        Self {
            kid: key.kid,
            alg: key.algorithm,
            state: key.state,
            created_at: key.created_at,
            not_after: key.not_after,
        }
    }
}
