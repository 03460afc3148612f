//! Changing the caller's name.

use actix_web::web::{Data, Json};
use auth::{Clock, VerifyToken};
use db::Db;
use garde::Validate;
use serde::Deserialize;
use service_kit::{Body, text};
use utoipa::ToSchema;

use crate::domain::UserResponse;
use crate::error::UserError;
use crate::store::{UserChange, UserRows};

/// A change of the caller's own data.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateMe {
    /// The new name, on one line.
    #[garde(custom(text::line(1, 100)))]
    #[schema(min_length = 1, max_length = 100, example = "Ada Lovelace")]
    name: String,
}

/// `PATCH /users/me`: changes the caller's name. Tokens that were issued before keep the old name until the next refresh.
#[utoipa::path(
    patch, path = "/users/me", tag = "users", operation_id = "update_me", request_body = UpdateMe,
    responses((status = 200, body = UserResponse), (status = 404, description = "`user_not_found`: the account was deleted")),
)]
#[tracing::instrument(skip_all, fields(user.id = %user.id()))]
pub async fn change_me(
    VerifyToken(user): VerifyToken,
    Body(change): Body<UpdateMe>,
    db: Data<Db>,
    clock: Data<Clock>,
) -> Result<Json<UserResponse>, UserError> {
    let change = UserChange {
        name: Some(&change.name),
        ..UserChange::default()
    };
    let mut tx = db.begin().await?;
    let changed = UserRows(&mut tx).change(user.id(), &change, clock.now()).await?;
    let account = changed.ok_or(UserError::UserNotFound)?;
    tx.commit().await?;
    Ok(Json(account.into()))
}
