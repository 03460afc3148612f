//! Reading one order.

use actix_web::web::{Data, Json};
use auth::{User, VerifyToken};
use db::Db;
use service_kit::Id;

use crate::domain::Order;
use crate::error::OrderError;
use crate::store::Orders;

/// `GET /orders/{id}`: returns one order.
#[utoipa::path(
    get, path = "/orders/{id}", tag = "orders", operation_id = "get_order", params(("id" = Uuid, Path)),
    responses((status = 200, body = Order), (status = 404, description = "no such order, or another user's")),
)]
pub async fn show(VerifyToken(user): VerifyToken, id: Id, db: Data<Db>) -> Result<Json<Order>, OrderError> {
    let order = Orders(&mut db.read().await?).find(id.0).await?;
    Ok(Json(visible_to(&user, order)?))
}

/// The order, if the user may know that it exists. Another user's order is answered like a missing one, so that ids can't be probed.
pub(super) fn visible_to(user: &User, order: Option<Order>) -> Result<Order, OrderError> {
    if let Some(order) = order.filter(|order| order.is_visible_to(user)) {
        return Ok(order);
    }
    user.require_all_roles()?;
    Err(OrderError::NotFound)
}
