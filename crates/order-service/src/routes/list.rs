//! Listing orders.

use actix_web::web::{Data, Json};
use auth::VerifyToken;
use db::Db;
use garde::Validate;
use serde::Deserialize;
use service_kit::{Cursor, Limit, Page, Query};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::domain::{Order, OrderStatus, may_read_all};
use crate::error::OrderError;
use crate::store::{Orders, Search};

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only orders with this status.
    #[garde(skip)]
    status: Option<OrderStatus>,
    /// Only orders of this user. Without the scope `orders:read-all` callers may only name themselves.
    #[garde(skip)]
    user_id: Option<Uuid>,
    /// The maximum number of items on a page: 1 to 100.
    #[garde(skip)]
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100, default = 20)]
    limit: Limit,
    /// The `next_cursor` of the previous page.
    #[garde(skip)]
    #[serde(default)]
    #[param(value_type = Option<String>)]
    cursor: Cursor,
}

/// `GET /orders`: lists the caller's orders, or with the scope `orders:read-all` those of all users, newest first.
#[utoipa::path(
    get, path = "/orders", tag = "orders", params(ListQuery),
    responses(
        (status = 200, body = Page<Order>),
        (status = 400, description = "a parameter is not valid"),
        (status = 403, description = "another user's orders, without the scope `orders:read-all`"),
    ),
)]
pub async fn list(
    VerifyToken(user): VerifyToken,
    Query(query): Query<ListQuery>,
    db: Data<Db>,
) -> Result<Json<Page<Order>>, OrderError> {
    let user_id = match query.user_id {
        requested if may_read_all(&user) => requested,
        Some(other) if other != user.id() => return Err(OrderError::MayNotListOthers),
        _ => Some(user.id()),
    };
    let search = Search {
        user_id,
        status: query.status,
    };

    let orders = Orders(&mut db.read().await?)
        .list(&search, query.cursor, query.limit)
        .await?;

    Ok(Json(Page::of(orders, query.limit, |order| order.id)))
}
