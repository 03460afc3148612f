//! Cancelling and fulfilling orders. The new status and its stock task are written in one transaction, so that no crash can
//! strand the stock.

use auth::Clock;
use chrono::{DateTime, Utc};
use db::{Db, Tx};
use uuid::Uuid;

use crate::domain::{Order, OrderStatus, StockTaskKind};
use crate::error::OrderError;
use crate::stock::StockSync;
use crate::store::Orders;

/// Decides what becomes of existing orders.
#[derive(Clone, Debug)]
pub(crate) struct Decisions {
    pub db: Db,
    pub stock: StockSync,
    pub clock: Clock,
}

impl Decisions {
    /// Cancels a pending or confirmed order and returns its stock.
    pub(crate) async fn cancel(&self, order: Order) -> Result<Order, OrderError> {
        let mut tx = self.db.begin().await?;
        let now = self.clock.now();
        if !Orders(&mut tx).cancel(order.id, now).await? {
            return Err(refusal(tx, order.id).await?);
        }
        self.stock
            .commit_with_task(tx, order.id, StockTaskKind::Release)
            .await?;
        Ok(changed(order, OrderStatus::Cancelled, now))
    }

    /// Marks a confirmed order as shipped and takes its stock out of the warehouse.
    pub(crate) async fn fulfil(&self, order: Order) -> Result<Order, OrderError> {
        let mut tx = self.db.begin().await?;
        let now = self.clock.now();
        if !Orders(&mut tx).fulfil(order.id, now).await? {
            return Err(refusal(tx, order.id).await?);
        }
        self.stock
            .commit_with_task(tx, order.id, StockTaskKind::Commit)
            .await?;
        Ok(changed(order, OrderStatus::Fulfilled, now))
    }
}

/// Why the order's status does not allow the decision. Reads the order again, because a concurrent request may have changed it.
async fn refusal(mut tx: Tx, id: Uuid) -> Result<OrderError, OrderError> {
    let order = Orders(&mut tx).find(id).await?.ok_or(OrderError::NotFound)?;
    Ok(match order.status {
        OrderStatus::Pending => OrderError::NotConfirmed,
        _ => OrderError::AlreadyFinal(Box::new(order)),
    })
}

fn changed(order: Order, status: OrderStatus, now: DateTime<Utc>) -> Order {
    Order {
        status,
        updated_at: now,
        ..order
    }
}
