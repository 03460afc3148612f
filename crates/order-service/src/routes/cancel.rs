//! Calling an order off.

use actix_web::web::{Data, Json};
use auth::VerifyToken;
use service_kit::{EmptyObject, Id, OptionalBody};

use crate::domain::{Order, OrderStatus, StockTaskKind};
use crate::error::OrderError;
use crate::stock::Stock;
use crate::store::Orders;

/// `POST /orders/{id}/cancel`: calls off an order that has not left yet, and gives its stock back.
#[utoipa::path(
    post, path = "/orders/{id}/cancel", tag = "orders", params(("id" = Uuid, Path)),
    request_body = Option<EmptyObject>,
    responses(
        (status = 200, body = Order),
        (status = 403, description = "an order that one may read, and not cancel"),
        (status = 404, description = "no such order, or somebody else's"),
        (status = 409, description = "it has left, or was cancelled or rejected before: it stands in `order` as it is"),
    ),
)]
#[tracing::instrument(skip_all, fields(order.id = %id, user.id = %user.id()))]
pub async fn cancel(
    VerifyToken(user): VerifyToken,
    id: Id,
    _: OptionalBody<EmptyObject>,
    stock: Data<Stock>,
) -> Result<Json<Order>, OrderError> {
    // Somebody else's order answers as a missing one does, so that ids can't be probed.
    let order = Orders(&mut stock.db.read().await?).find(id.0).await?;
    let order = order
        .filter(|order| order.is_visible_to(&user))
        .ok_or(OrderError::NotFound)?;
    if !order.may_be_cancelled_by(&user) {
        return Err(OrderError::NotYours);
    }

    let mut tx = stock.db.begin().await?;
    let now = stock.clock.now();
    if !Orders(&mut tx).cancel(order.id, now).await? {
        let order = Orders(&mut tx)
            .find(order.id)
            .await?
            .ok_or(OrderError::NotFound)?;
        return Err(OrderError::AlreadyFinal(Box::new(order)));
    }
    stock.decided(tx, order.id, StockTaskKind::Release).await?;
    Ok(Json(Order {
        status: OrderStatus::Cancelled,
        updated_at: now,
        ..order
    }))
}
