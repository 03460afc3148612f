//! The caller, if it is an admin.

use actix_web::web::Json;
use auth::IsAdmin;

use crate::domain::UserCaller;

/// `GET /examples/admin`: returns the caller's id and roles, if the caller is an admin.
#[utoipa::path(
    get, path = "/examples/admin", tag = "examples", operation_id = "show_admin",
    responses((status = 200, body = UserCaller)),
)]
#[tracing::instrument(skip_all, fields(admin.id = %admin.id()))]
pub async fn admin(IsAdmin(admin): IsAdmin) -> Json<UserCaller> {
    Json(UserCaller::from(&admin))
}
