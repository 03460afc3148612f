//! Searching users.

use actix_web::web::{Data, Json};
use auth::HasScope;
use db::Db;
use garde::Validate;
use serde::Deserialize;
use service_kit::{Page, Paging, Query, RequestError, text};
use utoipa::IntoParams;

use crate::domain::{UserResponse, UsersRead};
use crate::error::UserError;
use crate::store::UserRows;
use crate::tokens::TokenIssuer;

#[derive(Deserialize, Validate, IntoParams)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
pub struct UsersQuery {
    /// Only users whose email address or name contains this text, in upper or lower case. At most 100 characters.
    #[garde(inner(custom(text::line(0, 100))))]
    #[param(max_length = 100)]
    q: Option<String>,
    /// Only users with this role.
    #[param(pattern = "^[!-~]+$")]
    role: Option<String>,
}

/// `GET /admin/users`: lists users, newest first.
#[utoipa::path(
    get, path = "/admin/users", tag = "admin", params(UsersQuery, Paging),
    responses(
        (status = 200, body = Page<UserResponse>),
        (status = 400, description = "there is no such role"),
    ),
)]
pub async fn list_users(
    _: HasScope<UsersRead>,
    Query(query): Query<UsersQuery>,
    paging: Paging,
    db: Data<Db>,
    tokens: Data<TokenIssuer>,
) -> Result<Json<Page<UserResponse>>, UserError> {
    let (text, role) = (query.q.as_deref().unwrap_or_default(), query.role.as_deref());
    if role.is_some_and(|role| !tokens.roles.have(role)) {
        return Err(RequestError::InvalidQuery("there is no such role".to_owned()).into());
    }
    let mut conn = db.read().await?;
    let found = UserRows(&mut conn)
        .list(text, role, paging.cursor, paging.limit())
        .await?;
    let users = found.into_iter().map(UserResponse::from).collect();
    Ok(Json(Page::of(users, paging.limit(), |user: &UserResponse| {
        user.id
    })))
}
