//! Rotating the signing keys.

use actix_web::web::{Data, Json};
use auth::IsAdmin;
use db::Db;
use garde::Validate;
use serde::Deserialize;
use service_kit::{OptionalBody, Page};
use utoipa::ToSchema;

use super::keys::{ListedKey, list};
use crate::admin;
use crate::context::RequestContext;
use crate::domain::{Entry, Event};
use crate::error::UserError;
use crate::key_rotation::KeyRotation;
use crate::tokens::SigningKeys;

/// How the keys are rotated.
#[derive(Default, Deserialize, Validate, ToSchema)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct RotateKeys {
    /// Whether the active key and all retiring keys are discarded at once. Then all access tokens and service tokens are revoked.
    #[serde(default)]
    emergency: bool,
}

/// `POST /admin/keys/rotate`: makes the next signing key active, and creates another next key.
///
/// The old key retires: it stays published until its last token has expired. The rotation waits until every verifier that follows the
/// revocation feed holds the next key, but not longer than 10 minutes. While it waits, the old key in the response is still active, and
/// a further request changes nothing. In an emergency the rotation does not wait, and the old key and all retiring keys are discarded.
#[utoipa::path(
    post, path = "/admin/keys/rotate", tag = "admin", request_body = Option<RotateKeys>,
    responses(
        (status = 200, description = "The keys after the rotation, or with the old key still active while the rotation waits", body = Page<ListedKey>),
        (status = 409, description = "`shared_secret`: a shared secret signs, and there are no keys; or `too_many_keys`: too many keys \
            are retiring, and `Retry-After` says when to try again"),
    ),
)]
#[tracing::instrument(skip_all, fields(admin.id = %admin.id()))]
pub async fn rotate_keys(
    IsAdmin(admin): IsAdmin,
    OptionalBody(body): OptionalBody<RotateKeys>,
    db: Data<Db>,
    keys: Data<SigningKeys>,
    rotation: Data<KeyRotation>,
    context: RequestContext,
) -> Result<Json<Page<ListedKey>>, UserError> {
    if keys.is_shared_secret() {
        return Err(UserError::NoPublishedKeys);
    }
    let done = if body.unwrap_or_default().emergency {
        rotation.rotate_in_emergency(admin.id(), &context).await
    } else {
        rotation.request(admin.id(), &context).await
    };
    if let Err(error) = done {
        let entry = Entry::without_subject(Event::KeysRotated, Some(admin.id()));
        return Err(admin::record_refusal(&db, error, entry, &context).await);
    }
    Ok(Json(list(&db).await?))
}
