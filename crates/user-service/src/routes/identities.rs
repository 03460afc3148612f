//! Listing the accounts of providers that the caller can log in with.

use actix_web::web::{Data, Json};
use auth::VerifyToken;
use db::Db;
use service_kit::{Page, Paging};

use crate::domain::Identity;
use crate::error::UserError;
use crate::store::IdentityRows;

/// `GET /users/me/identities`: lists the accounts of providers that the caller can log in with, newest first.
#[utoipa::path(
    get, path = "/users/me/identities", tag = "users", operation_id = "list_identities", params(Paging),
    responses((status = 200, body = Page<Identity>)),
)]
pub async fn identities(
    VerifyToken(user): VerifyToken,
    paging: Paging,
    db: Data<Db>,
) -> Result<Json<Page<Identity>>, UserError> {
    let mut conn = db.read().await?;
    let listed = IdentityRows(&mut conn)
        .list(user.id(), paging.cursor, paging.limit())
        .await?;
    Ok(Json(Page::of(listed, paging.limit(), |identity| identity.id)))
}
