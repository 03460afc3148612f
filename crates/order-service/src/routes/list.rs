//! Looking through orders.

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
    /// Only orders that are so.
    #[garde(skip)]
    status: Option<OrderStatus>,
    /// Only orders of this person. Whoever may not read all orders has none but their own.
    #[garde(skip)]
    user_id: Option<Uuid>,
    /// How many items a page has: 1 to 100.
    #[garde(skip)]
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100, default = 20)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[garde(skip)]
    #[serde(default)]
    #[param(value_type = Option<String>)]
    cursor: Cursor,
}

/// `GET /orders`: one's own orders, or with the scope `orders:read-all` anybody's, newest first.
#[utoipa::path(
    get, path = "/orders", tag = "orders", params(ListQuery),
    responses(
        (status = 200, body = Page<Order>),
        (status = 400, description = "a parameter is not valid"),
        (status = 403, description = "somebody else's orders, without the scope `orders:read-all`"),
    ),
)]
pub async fn list(
    VerifyToken(user): VerifyToken,
    Query(query): Query<ListQuery>,
    db: Data<Db>,
) -> Result<Json<Page<Order>>, OrderError> {
    let user_id = match query.user_id {
        asked if may_read_all(&user) => asked,
        Some(other) if other != user.id() => return Err(OrderError::NotAll),
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
