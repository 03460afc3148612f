//! The caller, if it is a user.

use actix_web::web::Json;
use auth::VerifyToken;

use crate::domain::UserCaller;

/// `GET /examples/user`: returns the caller's id and roles.
#[utoipa::path(
    get, path = "/examples/user", tag = "examples", operation_id = "show_user",
    responses((status = 200, body = UserCaller)),
)]
pub async fn user(VerifyToken(user): VerifyToken) -> Json<UserCaller> {
    Json(UserCaller::from(&user))
}
