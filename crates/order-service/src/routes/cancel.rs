//! Cancelling an order.

use actix_web::web::{Data, Json};
use auth::VerifyToken;
use db::Db;
use service_kit::{EmptyObject, Id, OptionalBody};

use crate::decisions::Decisions;
use crate::domain::Order;
use crate::error::OrderError;
use crate::routes::show::visible_to;
use crate::store::Orders;

/// `POST /orders/{id}/cancel`: cancels a pending or confirmed order and returns its stock.
#[utoipa::path(
    post, path = "/orders/{id}/cancel", tag = "orders", operation_id = "cancel_order", params(("id" = Uuid, Path)),
    request_body = Option<EmptyObject>,
    responses(
        (status = 200, body = Order),
        (status = 403, description = "the caller may read the order but not cancel it"),
        (status = 404, description = "no such order, or another user's"),
        (status = 409, body = crate::error::OrderConflict, content_type = "application/problem+json", description = "the order is already fulfilled, cancelled or rejected; `order` is its current state"),
    ),
)]
#[tracing::instrument(skip_all, fields(order.id = %id, user.id = %user.id()))]
pub async fn cancel(
    VerifyToken(user): VerifyToken,
    id: Id,
    _: OptionalBody<EmptyObject>,
    db: Data<Db>,
    decisions: Data<Decisions>,
) -> Result<Json<Order>, OrderError> {
    let order = Orders(&mut db.read().await?).find(id.0).await?;
    let order = visible_to(&user, order)?;
    if !order.may_be_cancelled_by(&user) {
        user.require_all_roles()?;
        return Err(OrderError::NotYours);
    }

    Ok(Json(decisions.cancel(order).await?))
}
