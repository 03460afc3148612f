//! Committing the reservation of an order.

use actix_web::web::{Data, Json};
use auth::{Clock, FromService};
use db::{Conn, Db};
use service_kit::{EmptyObject, Id, OptionalBody};
use uuid::Uuid;

use crate::domain::{Movement, OrderService, Origin, Reservation, State};
use crate::error::InventoryError;
use crate::store::{Reservations, Stocks};

/// `POST /reservations/{id}/commit`: takes the reserved stock of an order out of the warehouse. Repeated calls get the same
/// answer and have no further effect.
#[utoipa::path(
    post, path = "/reservations/{id}/commit", tag = "reservations", operation_id = "commit_reservation",
    params(("id" = Uuid, Path, description = "The id of the order", example = "019b76da-a800-7d42-9b3c-7e1f8a6d5c22")),
    request_body = Option<EmptyObject>,
    responses(
        (status = 200, body = Reservation),
        (status = 404, description = "no such reservation"),
        (status = 409, description = "`released`; or `not_reserved`: the reservation was refused"),
    ),
)]
#[tracing::instrument(skip_all, fields(order.id = %id))]
pub async fn commit(
    caller: FromService<OrderService>,
    id: Id,
    _: OptionalBody<EmptyObject>,
    db: Data<Db>,
    clock: Data<Clock>,
) -> Result<Json<Reservation>, InventoryError> {
    let origin = Origin {
        actor: caller.name(),
        at: clock.now(),
    };

    let reservation = db
        .transaction(async |tx| commit_reserved(tx, id.0, origin).await)
        .await?;

    match reservation.state {
        State::Committed => Ok(Json(reservation)),
        State::Released => Err(InventoryError::Released),
        State::Refused => Err(InventoryError::NotReserved),
        // A concurrent request made the reservation between the two statements of the transaction.
        State::Reserved => Err(InventoryError::ReservationNotFound),
    }
}

/// Commits the reservation if its state is `reserved`, and returns it in its current state.
async fn commit_reserved(
    tx: &mut Conn,
    order_id: Uuid,
    origin: Origin<'_>,
) -> Result<Reservation, InventoryError> {
    let is_first = Reservations(tx)
        .transition(order_id, State::Reserved, State::Committed)
        .await?;
    let reservation = Reservations(tx)
        .find(order_id)
        .await?
        .ok_or(InventoryError::ReservationNotFound)?;
    if is_first {
        Stocks(tx)
            .apply_all(order_id, &reservation.items, Movement::commit, origin)
            .await?;
    }
    Ok(reservation)
}
