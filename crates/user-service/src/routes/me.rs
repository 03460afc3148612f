//! Looking at oneself.

use actix_web::web::{Data, Json};
use auth::VerifyToken;
use db::Db;

use crate::domain::User;
use crate::error::UserError;
use crate::store::Users;

/// `GET /users/me`: the caller, as they are now.
#[utoipa::path(get, path = "/users/me", tag = "users", responses((status = 200, body = User)))]
pub async fn me(VerifyToken(user): VerifyToken, db: Data<Db>) -> Result<Json<User>, UserError> {
    let account = Users(&mut db.read().await?)
        .find(user.id())
        .await?
        .ok_or(UserError::NotFound)?;
    Ok(Json(account.into()))
}
