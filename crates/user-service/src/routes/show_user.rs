//! Looking at somebody.

use actix_web::web::{Data, Json};
use auth::HasScope;
use db::Db;
use service_kit::Id;

use crate::domain::{User, UsersRead};
use crate::error::UserError;
use crate::store::Users;

/// `GET /admin/users/{id}`: somebody, as they are now.
#[utoipa::path(
    get, path = "/admin/users/{id}", tag = "admin", params(("id" = String, Path)),
    responses((status = 200, body = User), (status = 404, description = "`user_not_found`")),
)]
pub async fn show_user(_: HasScope<UsersRead>, id: Id, db: Data<Db>) -> Result<Json<User>, UserError> {
    let account = Users(&mut db.read().await?)
        .find(id.0)
        .await?
        .ok_or(UserError::NotFound)?;
    Ok(Json(account.into()))
}
