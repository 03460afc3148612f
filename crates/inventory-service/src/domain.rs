//! What stock and a reservation are, and what follows from their state. No statements, no calls.

mod movement;
mod reservation;
mod stock;

pub(crate) use self::movement::{Act, Movement};
pub(crate) use self::reservation::{
    Line, NewReservation, Reservation, Short, State, Wanted, require_order_service,
};
pub(crate) use self::stock::{Stock, StockCount};
