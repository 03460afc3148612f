//! Releasing the reservation of an order.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::{Clock, FromService};
use db::{Conn, Db};
use service_kit::Id;
use uuid::Uuid;

use crate::domain::{Movement, OrderService, Origin, State};
use crate::error::InventoryError;
use crate::store::{Reservations, Stocks};

/// `DELETE /reservations/{id}`: makes the reserved stock of an order available again, if there is any. Afterwards the order can
/// never be reserved, even if it had no reservation yet.
#[utoipa::path(
    delete, path = "/reservations/{id}", tag = "reservations", operation_id = "release_reservation",
    params(("id" = Uuid, Path, description = "The id of the order", example = "019b76da-a800-7d42-9b3c-7e1f8a6d5c22")),
    responses(
        (status = 204, description = "nothing is reserved for the order"),
        (status = 409, description = "`committed`: the stock has left the warehouse"),
    ),
)]
#[tracing::instrument(skip_all, fields(order.id = %id))]
pub async fn release(
    caller: FromService<OrderService>,
    id: Id,
    db: Data<Db>,
    clock: Data<Clock>,
) -> Result<HttpResponse, InventoryError> {
    // The id in the path is malformed. No reservation has such an id.
    if id.0.is_nil() {
        return Ok(HttpResponse::NoContent().finish());
    }
    let origin = Origin {
        actor: caller.name(),
        at: clock.now(),
    };

    db.transaction(async |tx| release_reserved(tx, id.0, origin).await)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Releases the reservation unless it is committed.
async fn release_reserved(tx: &mut Conn, order_id: Uuid, origin: Origin<'_>) -> Result<(), InventoryError> {
    // Without a reservation, the row is a tombstone: it refuses a reservation whose call arrives after this one.
    let is_tombstone = Reservations(tx).add(order_id, State::Released, origin.at).await?;
    if is_tombstone {
        return Ok(());
    }

    let was_reserved = Reservations(tx)
        .transition(order_id, State::Reserved, State::Released)
        .await?;
    if !was_reserved {
        Reservations(tx)
            .transition(order_id, State::Refused, State::Released)
            .await?;
    }

    let reservation = Reservations(tx)
        .find(order_id)
        .await?
        .ok_or(InventoryError::ReservationNotFound)?;
    if reservation.state == State::Committed {
        return Err(InventoryError::Committed);
    }
    if was_reserved {
        Stocks(tx)
            .apply_all(order_id, &reservation.items, Movement::release, origin)
            .await?;
    }
    Ok(())
}
