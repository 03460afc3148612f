//! What an order is and what may become of it. No database, no calls.

mod basket;
mod key;
mod order;
mod task;

pub(crate) use self::basket::{Basket, BasketError, Priced, Product};
pub(crate) use self::key::IdempotencyKey;
pub(crate) use self::order::{Line, Order, OrderStatus, OrdersWrite, may_read_all};
pub(crate) use self::task::{LEASE, LONGEST_LEASE, StockTask, StockTaskKind};
