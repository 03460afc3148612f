//! The database tables and their SQL.

mod idempotency_keys;
mod order_lines;
mod orders;
mod stock_tasks;

pub(crate) use self::idempotency_keys::IdempotencyKeys;
pub(crate) use self::order_lines::OrderLines;
pub(crate) use self::orders::{Orders, Search};
pub(crate) use self::stock_tasks::StockTasks;
