//! Showing the caller.

use actix_web::web::{Data, Json};
use auth::VerifyToken;
use db::Db;

use crate::domain::UserResponse;
use crate::error::UserError;
use crate::store::UserRows;

/// `GET /users/me`: the caller's current data.
#[utoipa::path(get, path = "/users/me", tag = "users", operation_id = "get_me", responses((status = 200, body = UserResponse), (status = 404, description = "`user_not_found`: the account was deleted")))]
pub async fn me(VerifyToken(user): VerifyToken, db: Data<Db>) -> Result<Json<UserResponse>, UserError> {
    let account = UserRows(&mut db.read().await?)
        .find(user.id())
        .await?
        .ok_or(UserError::UserNotFound)?;
    Ok(Json(account.into()))
}
