//! Who am I, if anybody.

use actix_web::web::{Data, Json};
use auth::CurrentUser;
use db::Db;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::User;
use crate::error::UserError;
use crate::store::Users;

#[derive(Serialize, ToSchema)]
pub struct WhoAmI {
    /// Null for whoever is not logged in.
    current_user: Option<User>,
}

/// `GET /auth/current-user`: who is logged in, if anybody. Never an error for want of a token.
#[utoipa::path(get, path = "/auth/current-user", tag = "auth", responses((status = 200, body = WhoAmI)))]
pub async fn current_user(CurrentUser(user): CurrentUser, db: Data<Db>) -> Result<Json<WhoAmI>, UserError> {
    let account = match user {
        Some(user) => Users(&mut db.read().await?).find(user.id()).await?,
        None => None,
    };
    Ok(Json(WhoAmI {
        current_user: account.map(User::from),
    }))
}
