//! How stock and reservations are kept.

mod journal;
mod reservations;
mod stocks;

pub(crate) use self::reservations::Reservations;
pub(crate) use self::stocks::Stocks;
