//! Orders and the rules that govern them. No SQL and no calls to other services.

mod basket;
mod key;
mod order;
mod task;

pub(crate) use self::basket::{Basket, BasketError, PricedBasket, Product};
pub(crate) use self::key::IdempotencyKey;
pub(crate) use self::order::{Line, Order, OrderStatus, OrdersWrite, Shortage, may_read_all};
pub(crate) use self::task::{LEASE, LONGEST_LEASE, StockTask, StockTaskKind};
