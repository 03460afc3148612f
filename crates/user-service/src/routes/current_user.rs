//! The caller, who may be anonymous.

use actix_web::web::{Data, Json};
use auth::CurrentUser;
use db::Db;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::UserResponse;
use crate::error::UserError;
use crate::store::UserRows;

/// The identity of the caller.
#[derive(Serialize, ToSchema)]
#[schema(as = WhoAmI)]
pub struct CurrentUserResponse {
    /// The user who is logged in. Null for an anonymous caller.
    #[schema(required = true)]
    current_user: Option<UserResponse>,
}

/// `GET /auth/current-user`: the user who is logged in, or null. A missing token is not an error.
#[utoipa::path(
    get, path = "/auth/current-user", tag = "auth", operation_id = "get_current_user", responses((status = 200, body = CurrentUserResponse))
)]
pub async fn current_user(
    CurrentUser(user): CurrentUser,
    db: Data<Db>,
) -> Result<Json<CurrentUserResponse>, UserError> {
    let account = match user {
        Some(user) => UserRows(&mut db.read().await?).find(user.id()).await?,
        None => None,
    };
    Ok(Json(CurrentUserResponse {
        current_user: account.map(UserResponse::from),
    }))
}
