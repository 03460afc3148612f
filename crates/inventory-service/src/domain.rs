//! Stock, reservations and the rules that govern them. No SQL and no calls to other services.

mod movement;
mod reservation;
mod stock;

pub(crate) use self::movement::{Movement, Origin};
pub(crate) use self::reservation::{
    Line, NewReservation, OrderService, Reservation, ReservationRequest, Shortage, State,
};
pub(crate) use self::stock::{Stock, StockCount};
