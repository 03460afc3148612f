//! Listing orders.

use actix_web::web::{Data, Json};
use auth::VerifyToken;
use db::Db;
use garde::Validate;
use serde::Deserialize;
use service_kit::{Id, Page, Paging, Query};
use utoipa::IntoParams;

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
    #[param(value_type = Option<Uuid>)]
    user_id: Option<Id>,
}

/// `GET /orders`: lists the caller's orders, or with the scope `orders:read-all` those of all users, newest first.
#[utoipa::path(
    get, path = "/orders", tag = "orders", operation_id = "list_orders", params(ListQuery, Paging),
    responses(
        (status = 200, body = Page<Order>),
        (status = 403, description = "another user's orders, without the scope `orders:read-all`"),
    ),
)]
pub async fn list(
    VerifyToken(user): VerifyToken,
    Query(query): Query<ListQuery>,
    paging: Paging,
    db: Data<Db>,
) -> Result<Json<Page<Order>>, OrderError> {
    let user_id = match query.user_id.map(|Id(id)| id) {
        requested if may_read_all(&user) => requested,
        Some(own) if own == user.id() => Some(own),
        requested => {
            user.require_all_roles()?;
            if requested.is_some() {
                return Err(OrderError::MayNotListOthers);
            }
            Some(user.id())
        }
    };
    let search = Search {
        user_id,
        status: query.status,
    };

    let orders = Orders(&mut db.read().await?)
        .list(&search, paging.cursor, paging.limit())
        .await?;

    Ok(Json(Page::of(orders, paging.limit(), |order| order.id)))
}
