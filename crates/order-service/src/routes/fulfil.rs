//! Sending an order off.

use actix_web::web::{Data, Json};
use auth::IsAdmin;
use service_kit::{EmptyObject, Id, OptionalBody};

use crate::domain::{Order, OrderStatus, StockTaskKind};
use crate::error::OrderError;
use crate::stock::Stock;
use crate::store::Orders;

/// `POST /orders/{id}/fulfil`: a confirmed order has left, and its stock with it.
#[utoipa::path(
    post, path = "/orders/{id}/fulfil", tag = "orders", params(("id" = Uuid, Path)),
    request_body = Option<EmptyObject>,
    responses(
        (status = 200, body = Order),
        (status = 404, description = "no such order"),
        (status = 409, description = "it is not confirmed yet; or it has left, or was cancelled or rejected, and stands in `order` as it is"),
    ),
)]
#[tracing::instrument(skip_all, fields(order.id = %id, admin.id = %admin.id()))]
pub async fn fulfil(
    IsAdmin(admin): IsAdmin,
    id: Id,
    _: OptionalBody<EmptyObject>,
    stock: Data<Stock>,
) -> Result<Json<Order>, OrderError> {
    let order = Orders(&mut stock.db.read().await?)
        .find(id.0)
        .await?
        .ok_or(OrderError::NotFound)?;

    let mut tx = stock.db.begin().await?;
    let now = stock.clock.now();
    if !Orders(&mut tx).fulfil(order.id, now).await? {
        let order = Orders(&mut tx)
            .find(order.id)
            .await?
            .ok_or(OrderError::NotFound)?;
        return Err(match order.status {
            OrderStatus::Pending => OrderError::NotConfirmed,
            _ => OrderError::AlreadyFinal(Box::new(order)),
        });
    }
    stock.decided(tx, order.id, StockTaskKind::Commit).await?;
    Ok(Json(Order {
        status: OrderStatus::Fulfilled,
        updated_at: now,
        ..order
    }))
}
