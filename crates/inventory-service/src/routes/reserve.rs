//! Promising stock to an order.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::{Clock, IsService};
use db::{Conn, Db};
use service_kit::Body;

use crate::domain::{Act, Movement, NewReservation, Reservation, State, Wanted, require_order_service};
use crate::error::InventoryError;
use crate::store::{Reservations, Stocks};

/// `POST /reservations`: promises all items to an order, or none. The first answer is remembered, and given again to the same
/// items in whatever order, the refusal too, however much there is by then; after a commit it says `committed`.
#[utoipa::path(
    post, path = "/reservations", tag = "reservations", request_body = NewReservation,
    responses(
        (status = 201, body = Reservation),
        (status = 403, description = "not order-service"),
        (status = 409, description = "`insufficient_stock`: too little of the products in \
            `short: [{product_id, requested, available}]`, of which an unknown one has none; `reservation_mismatch`: the \
            order was here with other items; `released`: it was released, before or after it was here"),
        (status = 422, description = "a field is not valid, or a product is named twice"),
    ),
)]
#[tracing::instrument(skip_all, fields(order.id = %new.order_id))]
pub async fn reserve(
    IsService(caller): IsService,
    Body(new): Body<NewReservation>,
    db: Data<Db>,
    clock: Data<Clock>,
) -> Result<HttpResponse, InventoryError> {
    require_order_service(&caller)?;
    let wanted = Wanted::try_from(new)?;
    let act = Act {
        actor: caller.name(),
        at: clock.now(),
    };

    let reservation = db.transaction(async |tx| decide(tx, &wanted, act).await).await?;
    Ok(HttpResponse::Created().json(reservation.answer_to(&wanted)?))
}

/// Decides, unless that was done before, and returns what was decided. It is read back even by the call that decided, so that the
/// first answer is made as every later one.
async fn decide(tx: &mut Conn, wanted: &Wanted, act: Act<'_>) -> Result<Reservation, InventoryError> {
    if Reservations(tx)
        .add(wanted.order_id, State::Reserved, act.at)
        .await?
    {
        promise(tx, wanted, act).await?;
    }
    Reservations(tx)
        .find(wanted.order_id)
        .await?
        .ok_or(InventoryError::NoReservation)
}

/// Promises all lines, or refuses all and writes down which are short.
async fn promise(tx: &mut Conn, wanted: &Wanted, act: Act<'_>) -> Result<(), sqlx::Error> {
    let Wanted { order_id, items } = wanted;
    let mut is_short = false;
    // All are held before any is judged: so a refusal tells what there was of each at one moment, and nothing has to be undone.
    for line in items {
        let available = Stocks(tx)
            .hold(line.product_id)
            .await?
            .map_or(0, |stock| stock.available);
        let too_little = (available < line.quantity).then_some(available);
        Reservations(tx).add_line(*order_id, line, too_little).await?;
        is_short |= too_little.is_some();
    }
    if is_short {
        return Reservations(tx)
            .turn(*order_id, State::Reserved, State::Refused)
            .await
            .map(drop);
    }
    Stocks(tx)
        .apply_all(*order_id, items, Movement::reserve, act)
        .await
}
