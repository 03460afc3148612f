//! Looking for people.

use actix_web::web::{Data, Json};
use auth::HasScope;
use db::Db;
use garde::Validate;
use serde::Deserialize;
use service_kit::{Cursor, Limit, Page, Query, RequestError, text};
use utoipa::IntoParams;

use crate::domain::{User, UsersRead};
use crate::error::UserError;
use crate::mint::Mint;
use crate::store::Users;

#[derive(Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UsersQuery {
    /// Only people whose address or name contains this, in capitals or not. At most 100 characters.
    #[garde(inner(custom(text::line(0, 100))))]
    q: Option<String>,
    /// Only people with this role.
    #[garde(skip)]
    role: Option<String>,
    /// How many items a page has: 1 to 100, by default 20.
    #[garde(skip)]
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[garde(skip)]
    #[serde(default)]
    #[param(value_type = Option<String>)]
    cursor: Cursor,
}

/// `GET /admin/users`: people, the newest first.
#[utoipa::path(
    get, path = "/admin/users", tag = "admin", params(UsersQuery),
    responses(
        (status = 200, body = Page<User>),
        (status = 400, description = "a parameter is not valid, or there is no such role"),
    ),
)]
pub async fn list_users(
    _: HasScope<UsersRead>,
    Query(query): Query<UsersQuery>,
    db: Data<Db>,
    mint: Data<Mint>,
) -> Result<Json<Page<User>>, UserError> {
    if query.role.as_deref().is_some_and(|role| !mint.roles.have(role)) {
        return Err(RequestError::InvalidQuery("there is no such role".to_owned()).into());
    }
    let contained = query.q.as_deref().unwrap_or_default();

    let mut conn = db.read().await?;
    let found = Users(&mut conn)
        .list(contained, query.role.as_deref(), query.cursor, query.limit)
        .await?;

    let users = found.into_iter().map(User::from).collect();
    Ok(Json(Page::of(users, query.limit, |user: &User| user.id)))
}
