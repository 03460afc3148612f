//! Reserving stock for an order.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::{Clock, FromService};
use db::{Conn, Db};
use service_kit::Body;

use crate::domain::{Movement, NewReservation, OrderService, Origin, Reservation, ReservationRequest, State};
use crate::error::InventoryError;
use crate::store::{Reservations, Stocks};

/// `POST /reservations`: reserves all items for an order, or none.
///
/// The answer is stored. The same order with the same items, in any sequence, gets the same answer again, even a refusal after
/// a restock. After a commit, `state` is `committed`.
#[utoipa::path(
    post, path = "/reservations", tag = "reservations", operation_id = "reserve", request_body = NewReservation,
    responses(
        (status = 201, body = Reservation),
        (status = 409, body = crate::error::ReservationConflict, content_type = "application/problem+json",
            description = "`insufficient_stock`: not enough stock of the products in \
            `short: [{product_id, requested, available}]`, where an unknown product counts as 0; `reservation_mismatch`: the \
            order already has a reservation with different items; `released`: the order was released, before or after it was \
            reserved"),
        (status = 422, description = "a product appears twice"),
    ),
)]
#[tracing::instrument(skip_all, fields(order.id = %new.order_id))]
pub async fn reserve(
    caller: FromService<OrderService>,
    Body(new): Body<NewReservation>,
    db: Data<Db>,
    clock: Data<Clock>,
) -> Result<HttpResponse, InventoryError> {
    let request = ReservationRequest::try_from(new)?;
    let origin = Origin {
        actor: caller.name(),
        at: clock.now(),
    };

    let reservation = db
        .transaction(async |tx| find_or_reserve(tx, &request, origin).await)
        .await?;
    Ok(HttpResponse::Created().json(successful(reservation, &request)?))
}

/// The reservation, if it was successful and is for the requested items.
fn successful(reservation: Reservation, request: &ReservationRequest) -> Result<Reservation, InventoryError> {
    match reservation.state {
        State::Released => Err(InventoryError::Released),
        _ if reservation.items != request.items => Err(InventoryError::Mismatch),
        State::Refused => Err(InventoryError::InsufficientStock(reservation.short)),
        State::Reserved | State::Committed => Ok(reservation),
    }
}

/// Makes the reservation unless the order already has one, and returns it. It is read back in both cases, so that the first
/// answer is built in the same way as every later one.
async fn find_or_reserve(
    tx: &mut Conn,
    request: &ReservationRequest,
    origin: Origin<'_>,
) -> Result<Reservation, InventoryError> {
    // The insert decides which of several concurrent requests makes the reservation. The others wait for it here.
    let is_first = Reservations(tx)
        .add(request.order_id, State::Reserved, origin.at)
        .await?;
    if is_first {
        reserve_or_refuse(tx, request, origin).await?;
    }
    Reservations(tx)
        .find(request.order_id)
        .await?
        .ok_or(InventoryError::ReservationNotFound)
}

/// Reserves all lines, or refuses all and records which ones are short.
async fn reserve_or_refuse(
    tx: &mut Conn,
    request: &ReservationRequest,
    origin: Origin<'_>,
) -> Result<(), sqlx::Error> {
    let ReservationRequest { order_id, items } = request;
    let mut is_short = false;
    // Locks every product before it changes any. So a refusal reports quantities of one moment, and nothing has to be undone.
    for line in items {
        let stock = Stocks(tx).lock(line.product_id).await?;
        let available = stock.map_or(0, |stock| stock.available);
        let shortage = (available < line.quantity).then_some(available);
        Reservations(tx).add_line(*order_id, line, shortage).await?;
        is_short |= shortage.is_some();
    }

    if is_short {
        return Reservations(tx)
            .transition(*order_id, State::Reserved, State::Refused)
            .await
            .map(drop);
    }
    Stocks(tx)
        .apply_all(*order_id, items, Movement::reserve, origin)
        .await
}
