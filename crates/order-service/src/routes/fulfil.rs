//! Fulfilling an order.

use actix_web::web::{Data, Json};
use auth::IsAdmin;
use db::Db;
use service_kit::{EmptyObject, Id, OptionalBody};

use crate::decisions::Decisions;
use crate::domain::Order;
use crate::error::OrderError;
use crate::store::Orders;

/// `POST /orders/{id}/fulfil`: marks a confirmed order as shipped and takes its stock out of the warehouse.
#[utoipa::path(
    post, path = "/orders/{id}/fulfil", tag = "orders", operation_id = "fulfil_order", params(("id" = Uuid, Path)),
    request_body = Option<EmptyObject>,
    responses(
        (status = 200, body = Order),
        (status = 404, description = "no such order"),
        (status = 409, body = crate::error::OrderConflict, content_type = "application/problem+json", description = "`order_not_confirmed`: the order is pending; `order_already_final`: it is already \
            fulfilled, cancelled or rejected, and `order` is its current state"),
    ),
)]
#[tracing::instrument(skip_all, fields(order.id = %id, admin.id = %admin.id()))]
pub async fn fulfil(
    IsAdmin(admin): IsAdmin,
    id: Id,
    _: OptionalBody<EmptyObject>,
    db: Data<Db>,
    decisions: Data<Decisions>,
) -> Result<Json<Order>, OrderError> {
    let order = Orders(&mut db.read().await?)
        .find(id.0)
        .await?
        .ok_or(OrderError::NotFound)?;

    Ok(Json(decisions.fulfil(order).await?))
}
