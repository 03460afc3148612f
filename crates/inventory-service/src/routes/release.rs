//! An order gives back what was promised to it.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::{Clock, IsService};
use db::{Conn, Db};
use service_kit::Id;
use uuid::Uuid;

use crate::domain::{Act, Movement, State, require_order_service};
use crate::error::InventoryError;
use crate::store::{Reservations, Stocks};

/// `DELETE /reservations/{id}`: gives back what was promised to this order, if anything was. The order can't reserve any more,
/// not even where it had not done so yet.
#[utoipa::path(
    delete, path = "/reservations/{id}", tag = "reservations",
    params(("id" = Uuid, Path, description = "the order's id")),
    responses(
        (status = 204, description = "nothing is promised to it any more"),
        (status = 403, description = "not order-service"),
        (status = 409, description = "`committed`: the goods have left"),
    ),
)]
#[tracing::instrument(skip_all, fields(order.id = %id))]
pub async fn release(
    IsService(caller): IsService,
    id: Id,
    db: Data<Db>,
    clock: Data<Clock>,
) -> Result<HttpResponse, InventoryError> {
    require_order_service(&caller)?;
    // A malformed id, under which nothing is ever kept.
    if id.0.is_nil() {
        return Ok(HttpResponse::NoContent().finish());
    }
    let act = Act {
        actor: caller.name(),
        at: clock.now(),
    };

    db.transaction(async |tx| give_back(tx, id.0, act).await).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn give_back(tx: &mut Conn, order_id: Uuid, act: Act<'_>) -> Result<(), InventoryError> {
    // Its tombstone, if this comes before the reservation that it calls off.
    if Reservations(tx).add(order_id, State::Released, act.at).await? {
        return Ok(());
    }
    let was_reserved = Reservations(tx)
        .turn(order_id, State::Reserved, State::Released)
        .await?;
    if !was_reserved {
        Reservations(tx)
            .turn(order_id, State::Refused, State::Released)
            .await?;
    }
    let reservation = Reservations(tx)
        .find(order_id)
        .await?
        .ok_or(InventoryError::NoReservation)?;
    if reservation.state == State::Committed {
        return Err(InventoryError::Committed);
    }
    if was_reserved {
        Stocks(tx)
            .apply_all(order_id, &reservation.items, Movement::release, act)
            .await?;
    }
    Ok(())
}
