//! Showing a user.

use actix_web::web::{Data, Json};
use auth::HasScope;
use db::Db;
use service_kit::Id;

use crate::domain::{UserResponse, UsersRead};
use crate::error::UserError;
use crate::store::UserRows;

/// `GET /admin/users/{id}`: shows a user's current data.
#[utoipa::path(
    get, path = "/admin/users/{id}", tag = "admin", operation_id = "get_user", params(("id" = Uuid, Path)),
    responses((status = 200, body = UserResponse), (status = 404, description = "`user_not_found`")),
)]
pub async fn show_user(
    _: HasScope<UsersRead>,
    id: Id,
    db: Data<Db>,
) -> Result<Json<UserResponse>, UserError> {
    let account = UserRows(&mut db.read().await?)
        .find(id.0)
        .await?
        .ok_or(UserError::UserNotFound)?;
    Ok(Json(account.into()))
}
