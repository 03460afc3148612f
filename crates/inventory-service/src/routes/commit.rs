//! The goods of an order leave.

use actix_web::web::{Data, Json};
use auth::{Clock, IsService};
use db::{Conn, Db};
use service_kit::{EmptyObject, Id, OptionalBody};
use uuid::Uuid;

use crate::domain::{Act, Movement, Reservation, State, require_order_service};
use crate::error::InventoryError;
use crate::store::{Reservations, Stocks};

/// `POST /reservations/{id}/commit`: the goods of this order have left. Asked again, it answers the same and does nothing.
#[utoipa::path(
    post, path = "/reservations/{id}/commit", tag = "reservations",
    params(("id" = Uuid, Path, description = "the order's id")),
    request_body = Option<EmptyObject>,
    responses(
        (status = 200, body = Reservation),
        (status = 403, description = "not order-service"),
        (status = 404, description = "no such reservation"),
        (status = 409, description = "`released`, or `not_reserved`: it was refused"),
    ),
)]
#[tracing::instrument(skip_all, fields(order.id = %id))]
pub async fn commit(
    IsService(caller): IsService,
    id: Id,
    _: OptionalBody<EmptyObject>,
    db: Data<Db>,
    clock: Data<Clock>,
) -> Result<Json<Reservation>, InventoryError> {
    require_order_service(&caller)?;
    let act = Act {
        actor: caller.name(),
        at: clock.now(),
    };

    let reservation = db.transaction(async |tx| take_out(tx, id.0, act).await).await?;

    match reservation.state {
        State::Committed => Ok(Json(reservation)),
        State::Released => Err(InventoryError::Released),
        State::Refused => Err(InventoryError::NotReserved),
        // It was reserved only after it had been looked for here.
        State::Reserved => Err(InventoryError::NoReservation),
    }
}

/// Commits what is reserved, and returns the reservation whatever it is then.
async fn take_out(tx: &mut Conn, order_id: Uuid, act: Act<'_>) -> Result<Reservation, InventoryError> {
    let is_first = Reservations(tx)
        .turn(order_id, State::Reserved, State::Committed)
        .await?;
    let reservation = Reservations(tx)
        .find(order_id)
        .await?
        .ok_or(InventoryError::NoReservation)?;
    if is_first {
        Stocks(tx)
            .apply_all(order_id, &reservation.items, Movement::commit, act)
            .await?;
    }
    Ok(reservation)
}
