//! Telling inventory-service what was decided about an order's stock. Each decision leaves a task in the transaction that made
//! it; whoever decided tries at once, and a worker takes up what is left.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use auth::Clock;
use chrono::TimeDelta;
use db::{Db, Tx};
use futures_util::StreamExt as _;
use futures_util::stream;
use uuid::Uuid;

use crate::domain::{OrderStatus, StockTask, StockTaskKind};
use crate::inventory::{Inventory, InventoryUnavailable, Reservation};
use crate::store::{IdempotencyKeys, OrderLines, Orders, StockTasks};

const LOOK_EVERY: Duration = Duration::from_millis(250);
const BATCH: i64 = 64;
const AT_ONCE: usize = 8;
const FORGET_KEYS_EVERY: u32 = 240;
const FORGOTTEN_AT_ONCE: u32 = 1_000;

/// Works off stock tasks.
#[derive(Clone, Debug)]
pub(crate) struct Stock {
    pub db: Db,
    pub inventory: Inventory,
    pub clock: Clock,
}

/// What came of a task.
enum Outcome {
    /// Inventory-service knows; the order may have changed with it.
    Done(Option<Settled>),
    /// It does not, or it is not known whether it does.
    Later,
}

/// What a pending order becomes.
struct Settled {
    status: OrderStatus,
    /// How much there was of what is short.
    short: HashMap<Uuid, i64>,
}

impl Stock {
    /// Leaves the task that a decision about an order brings with it, in the transaction of that decision, makes both last, and
    /// tells inventory-service if it can be told now.
    pub(crate) async fn decided(
        &self,
        mut tx: Tx,
        order_id: Uuid,
        kind: StockTaskKind,
    ) -> Result<(), sqlx::Error> {
        let now = self.clock.now();
        StockTasks(&mut tx).add(order_id, kind, now).await?;
        let task = StockTasks(&mut tx).take_up_next(order_id, now).await?;
        tx.commit().await?;
        tracing::info!(?kind, "decided");
        if let Some(task) = task {
            self.try_to_work_off(task).await;
        }
        Ok(())
    }

    /// As [`work_off`](Self::work_off), and whatever goes wrong is left to the worker.
    pub(crate) async fn try_to_work_off(&self, task: StockTask) {
        let order_id = task.order_id;
        if let Err(error) = self.work_off(task).await {
            tracing::warn!(order.id = %order_id, %error, "a stock task is left to the worker");
        }
    }

    /// Does a task that is leased to the caller, and then the next ones of the same order. What can't be done now stays for the
    /// worker.
    async fn work_off(&self, mut task: StockTask) -> Result<(), sqlx::Error> {
        loop {
            let next = match self.tell(&task).await? {
                Outcome::Done(settled) => self.complete(&task, settled.as_ref()).await?,
                Outcome::Later => {
                    let due = self.clock.now() + pause_after(task.attempts);
                    let mut tx = self.db.begin().await?;
                    StockTasks(&mut tx).postpone(&task, due).await?;
                    tx.commit().await?;
                    None
                }
            };
            match next {
                Some(next) => task = next,
                None => return Ok(()),
            }
        }
    }

    async fn tell(&self, task: &StockTask) -> Result<Outcome, sqlx::Error> {
        let told = match task.kind {
            StockTaskKind::Reserve => {
                // Read before the call, which no connection may wait for.
                let order = Orders(&mut self.db.read().await?).find(task.order_id).await?;
                match order {
                    Some(order) if order.status == OrderStatus::Pending => self
                        .inventory
                        .reserve(order.id, &order.items)
                        .await
                        .map(|reservation| Some(Settled::by(reservation))),
                    // Called off meanwhile: it would only take from others, until it is released.
                    _ => Ok(None),
                }
            }
            StockTaskKind::Release => self.inventory.release(task.order_id).await.map(|()| None),
            StockTaskKind::Commit => self.inventory.commit(task.order_id).await.map(|()| None),
        };
        Ok(told.map_or_else(|error| postponed(task, &error), Outcome::Done))
    }

    /// Writes down what came of a task, and takes up the order's next one.
    async fn complete(
        &self,
        task: &StockTask,
        settled: Option<&Settled>,
    ) -> Result<Option<StockTask>, sqlx::Error> {
        let now = self.clock.now();
        let complete = async |tx: &mut Tx| {
            // The order first, as whoever decides about it does: two that take rows in one order can't wait for each other.
            if let Some(Settled { status, short }) = settled
                && Orders(tx).settle(task.order_id, *status, now).await?
            {
                OrderLines(tx).note_available(task.order_id, short).await?;
            }
            StockTasks(tx).finish(task).await?;
            StockTasks(tx).take_up_next(task.order_id, now).await
        };
        self.db.transaction(complete).await
    }

    /// Takes up whatever is not leased, as long as the service runs.
    pub(crate) async fn keep_working(self) {
        let mut forget_in = 0;
        loop {
            let taken_up = self.take_up().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "stock tasks can't be worked off");
                0
            });
            if forget_in == 0 {
                let more = self.forget_keys().await.unwrap_or_else(|error| {
                    tracing::warn!(%error, "old idempotency keys can't be forgotten");
                    false
                });
                forget_in = if more { 1 } else { FORGET_KEYS_EVERY };
            }
            forget_in -= 1;
            // After a full batch there is likely more, and a backlog should not wait for the clock.
            if taken_up < BATCH {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }

    /// Works off what is due now, unless nobody would listen, and says for how many orders.
    async fn take_up(&self) -> Result<i64, sqlx::Error> {
        if self.inventory.is_left_alone() {
            return Ok(0);
        }
        let due = StockTasks(&mut self.db.read().await?)
            .due(self.clock.now(), BATCH)
            .await?;
        let taken_up = AtomicI64::new(0);
        stream::iter(due)
            .for_each_concurrent(AT_ONCE, async |order_id| {
                match self.take_up_next(order_id).await {
                    Ok(Some(task)) => {
                        taken_up.fetch_add(1, Ordering::Relaxed);
                        self.try_to_work_off(task).await;
                    }
                    Ok(None) => {}
                    Err(error) => {
                        tracing::warn!(order.id = %order_id, %error, "a stock task can't be taken up")
                    }
                }
            })
            .await;
        Ok(taken_up.into_inner())
    }

    async fn take_up_next(&self, order_id: Uuid) -> Result<Option<StockTask>, sqlx::Error> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let task = StockTasks(&mut tx).take_up_next(order_id, now).await?;
        tx.commit().await?;
        Ok(task)
    }

    /// So many at a time that no task waits for long, and says whether there may be more.
    async fn forget_keys(&self) -> Result<bool, sqlx::Error> {
        let mut tx = self.db.begin().await?;
        let forgotten = IdempotencyKeys(&mut tx)
            .forget_old(self.clock.now(), FORGOTTEN_AT_ONCE)
            .await?;
        tx.commit().await?;
        Ok(forgotten >= u64::from(FORGOTTEN_AT_ONCE))
    }
}

impl Settled {
    fn by(reservation: Reservation) -> Self {
        let (status, short) = match reservation {
            Reservation::Made => (OrderStatus::Confirmed, HashMap::new()),
            Reservation::Refused(short) => (OrderStatus::Rejected, short),
            // Only what was cancelled is released. Here it is not, where a backup of the orders was put back.
            Reservation::Released => (OrderStatus::Cancelled, HashMap::new()),
        };
        Self { status, short }
    }
}

fn postponed(task: &StockTask, error: &InventoryUnavailable) -> Outcome {
    let StockTask {
        order_id,
        kind,
        attempts,
        ..
    } = task;
    match error {
        InventoryUnavailable::Call(_) => {
            tracing::warn!(order.id = %order_id, ?kind, attempts, %error, "inventory-service can't be told");
        }
        // It does answer, and not as agreed: somebody has to look.
        InventoryUnavailable::Answer { .. } => {
            tracing::error!(order.id = %order_id, ?kind, attempts, %error, "inventory-service refuses");
        }
    }
    Outcome::Later
}

/// Doubling from half a second to eight: what is left over while inventory-service is away is done soon after it is back.
fn pause_after(attempts: i64) -> TimeDelta {
    let doublings = u32::try_from(attempts.clamp(0, 4)).unwrap_or_default();
    TimeDelta::milliseconds(500 * 2_i64.pow(doublings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::LEASE;

    #[test]
    fn pauses_double_up_to_eight_seconds_and_are_shorter_than_a_lease() {
        let pauses =
            [0, 1, 2, 3, 4, 5, 1_000, i64::MAX].map(|attempts| pause_after(attempts).num_milliseconds());
        assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000, 8_000]);
        assert!(pause_after(i64::MAX) < LEASE);
    }
}
