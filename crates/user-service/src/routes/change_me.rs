//! Changing one's name.

use actix_web::web::{Data, Json};
use auth::{Clock, VerifyToken};
use db::Db;
use garde::Validate;
use serde::Deserialize;
use service_kit::{Body, text};
use utoipa::ToSchema;

use crate::domain::User;
use crate::error::UserError;
use crate::store::{UserChange, Users};

#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeOfMe {
    #[garde(custom(text::line(1, 100)))]
    #[schema(min_length = 1, max_length = 100)]
    name: String,
}

/// `PATCH /users/me`: changes the caller's name. Tokens that are out keep the old one until they are refreshed.
#[utoipa::path(
    patch, path = "/users/me", tag = "users", request_body = ChangeOfMe,
    responses((status = 200, body = User), (status = 422, description = "a field is not valid")),
)]
#[tracing::instrument(skip_all, fields(user.id = %user.id()))]
pub async fn change_me(
    VerifyToken(user): VerifyToken,
    Body(change): Body<ChangeOfMe>,
    db: Data<Db>,
    clock: Data<Clock>,
) -> Result<Json<User>, UserError> {
    let mut tx = db.begin().await?;
    let change = UserChange {
        name: Some(&change.name),
        ..UserChange::default()
    };
    let changed = Users(&mut tx).change(user.id(), &change, clock.now()).await?;
    let account = changed.ok_or(UserError::NotFound)?;
    tx.commit().await?;
    Ok(Json(account.into()))
}
