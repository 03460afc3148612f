//! The database tables and their SQL.

mod journal;
mod reservations;
mod stocks;

pub(crate) use self::reservations::Reservations;
pub(crate) use self::stocks::Stocks;
