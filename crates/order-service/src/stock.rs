//! Keeps inventory-service in step with the orders.
//!
//! An order and its stock are in two databases, with no transaction over both. So each decision about an order also writes a
//! *stock task* in its own transaction (a transactional outbox). The request that wrote the task executes it at once, so that
//! the client usually gets a final answer. A background worker executes what was left over: after a crash, or while
//! inventory-service was unavailable.
//!
//! Every task may be executed twice: inventory-service remembers its answer to each order. Leases therefore only save work;
//! correctness never depends on them, nor on the clocks of replicas.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use auth::{Backoff, Clock};
use chrono::TimeDelta;
use db::{Db, Tx};
use futures_util::StreamExt as _;
use futures_util::stream;
use uuid::Uuid;

use crate::domain::{LEASE, OrderStatus, StockTask, StockTaskKind};
use crate::inventory::{Inventory, InventoryError, ReserveOutcome};
use crate::store::{OrderLines, Orders, StockTasks};

/// How often the worker looks for due tasks.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// How many due orders the worker reads at a time.
const BATCH_SIZE: i64 = 64;
/// How many tasks the worker executes concurrently.
const CONCURRENCY: usize = 8;
/// The delays before a failed task is retried. Short enough that a backlog is worked off soon after inventory-service is back,
/// and shorter than a lease, as postponed tasks must be.
const RETRY_BACKOFF: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(8));

/// Executes stock tasks.
#[derive(Clone, Debug)]
pub(crate) struct StockSync {
    pub db: Db,
    pub inventory: Inventory,
    pub clock: Clock,
}

/// The result of one attempt at a task.
enum Attempt {
    /// inventory-service has done it. A reservation also settles the order.
    Done(Option<Settlement>),
    /// It failed, or its outcome is unknown.
    Retry,
}

/// The outcome of a reservation, as it is recorded in the order.
struct Settlement {
    status: OrderStatus,
    /// The available quantity of each product that was short.
    short: HashMap<Uuid, i64>,
}

impl StockSync {
    /// Adds the stock task of a decision, commits the decision's transaction, and executes the task if possible.
    ///
    /// Fails only if the transaction does. If inventory-service fails, the task stays for the worker.
    pub(crate) async fn commit_with_task(
        &self,
        mut tx: Tx,
        order_id: Uuid,
        kind: StockTaskKind,
    ) -> Result<(), sqlx::Error> {
        let now = self.clock.now();
        // Added without a lease, then leased only if it is the order's first task. If the order's reservation is still under
        // way, its request or worker also executes this task afterwards.
        StockTasks(&mut tx).add(order_id, kind, now).await?;
        let leased = StockTasks(&mut tx).lease_next(order_id, now).await?;
        tx.commit().await?;

        tracing::info!(?kind, "stock task written");
        if let Some(task) = leased {
            self.execute_or_defer(task).await;
        }
        Ok(())
    }

    /// Executes a leased task and the following tasks of the same order. After a database error the lease expires and the
    /// worker takes over.
    pub(crate) async fn execute_or_defer(&self, task: StockTask) {
        let order_id = task.order_id;
        if let Err(error) = self.execute(task).await {
            tracing::warn!(order.id = %order_id, %error, "stock task left to the worker");
        }
    }

    async fn execute(&self, mut task: StockTask) -> Result<(), sqlx::Error> {
        loop {
            let next = match self.attempt(&task).await? {
                Attempt::Done(settlement) => self.complete(&task, settlement.as_ref()).await?,
                Attempt::Retry => {
                    self.postpone(&task).await?;
                    None
                }
            };
            match next {
                Some(next) => task = next,
                None => return Ok(()),
            }
        }
    }

    /// Calls inventory-service. Holds no database connection meanwhile: the call can take seconds.
    async fn attempt(&self, task: &StockTask) -> Result<Attempt, sqlx::Error> {
        let outcome = match task.kind {
            StockTaskKind::Reserve => {
                let order = Orders(&mut self.db.read().await?).find(task.order_id).await?;
                match order {
                    Some(order) if order.status == OrderStatus::Pending => self
                        .inventory
                        .reserve(order.id, &order.items)
                        .await
                        .map(|outcome| Some(Settlement::from(outcome))),
                    // Cancelled meanwhile: a reservation would only block other orders until it is released again.
                    _ => Ok(None),
                }
            }
            StockTaskKind::Release => self.inventory.release(task.order_id).await.map(|()| None),
            StockTaskKind::Commit => self.inventory.commit(task.order_id).await.map(|()| None),
        };

        Ok(outcome.map_or_else(
            |error| {
                log_failure(task, &error);
                Attempt::Retry
            },
            Attempt::Done,
        ))
    }

    /// Records the outcome of a task, deletes it, and leases the order's next task.
    async fn complete(
        &self,
        task: &StockTask,
        settlement: Option<&Settlement>,
    ) -> Result<Option<StockTask>, sqlx::Error> {
        let now = self.clock.now();
        let complete = async |tx: &mut Tx| {
            // The order's row is locked before its tasks, as it is for a decision. So there is no deadlock between the two.
            // An order that was cancelled meanwhile is not pending and keeps its status; its `release` task comes next.
            if let Some(Settlement { status, short }) = settlement
                && Orders(tx).settle(task.order_id, *status, now).await?
            {
                OrderLines(tx).record_shortage(task.order_id, short).await?;
            }
            StockTasks(tx).delete(task).await?;
            StockTasks(tx).lease_next(task.order_id, now).await
        };
        self.db.transaction(complete).await
    }

    async fn postpone(&self, task: &StockTask) -> Result<(), sqlx::Error> {
        let due = self.clock.now() + retry_delay(task.attempts);
        let mut tx = self.db.begin().await?;
        StockTasks(&mut tx).postpone(task, due).await?;
        tx.commit().await
    }

    /// The background worker: executes due tasks for as long as the service runs.
    pub(crate) async fn run_worker(self) {
        loop {
            let executed = self.execute_due().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "due stock tasks can't be read");
                0
            });
            // A full batch means that there is probably a backlog, which is worked off without a pause.
            if executed < BATCH_SIZE {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        }
    }

    /// Executes one batch of due tasks and returns for how many orders it did. Does nothing while the circuit to
    /// inventory-service is open: each task would only count a failed attempt and be postponed further.
    async fn execute_due(&self) -> Result<i64, sqlx::Error> {
        if self.inventory.is_circuit_open() {
            return Ok(0);
        }
        let due = StockTasks(&mut self.db.read().await?)
            .due(self.clock.now(), BATCH_SIZE)
            .await?;

        let executed = AtomicI64::new(0);
        stream::iter(due)
            .for_each_concurrent(CONCURRENCY, async |order_id| {
                match self.lease_next(order_id).await {
                    Ok(Some(task)) => {
                        executed.fetch_add(1, Ordering::Relaxed);
                        self.execute_or_defer(task).await;
                    }
                    // Another replica was faster.
                    Ok(None) => {}
                    Err(error) => {
                        tracing::warn!(order.id = %order_id, %error, "stock task can't be leased");
                    }
                }
            })
            .await;
        Ok(executed.into_inner())
    }

    async fn lease_next(&self, order_id: Uuid) -> Result<Option<StockTask>, sqlx::Error> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let task = StockTasks(&mut tx).lease_next(order_id, now).await?;
        tx.commit().await?;
        Ok(task)
    }
}

impl From<ReserveOutcome> for Settlement {
    fn from(outcome: ReserveOutcome) -> Self {
        let (status, short) = match outcome {
            ReserveOutcome::Reserved => (OrderStatus::Confirmed, HashMap::new()),
            ReserveOutcome::InsufficientStock(short) => (OrderStatus::Rejected, short),
            // Only a cancelled order is ever released. If the order is still pending here, its database was restored from a
            // backup that is older than the cancellation.
            ReserveOutcome::Released => (OrderStatus::Cancelled, HashMap::new()),
        };
        Self { status, short }
    }
}

fn log_failure(task: &StockTask, error: &InventoryError) {
    let StockTask {
        order_id,
        kind,
        attempts,
        ..
    } = task;
    match error {
        InventoryError::Call(_) => {
            tracing::warn!(order.id = %order_id, ?kind, attempts, %error, "inventory-service is unavailable");
        }
        // It answers, but not as its contract says: an operator has to look into it.
        InventoryError::UnexpectedResponse { .. } => {
            tracing::error!(order.id = %order_id, ?kind, attempts, %error, "unexpected response from inventory-service");
        }
    }
}

/// The delay before the next attempt, after this many failed ones and the one that just failed.
fn retry_delay(attempts: i64) -> TimeDelta {
    let failures = u32::try_from(attempts.saturating_add(1)).unwrap_or(u32::MAX);
    TimeDelta::from_std(RETRY_BACKOFF.delay(failures)).unwrap_or(LEASE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_delays_grow_with_failed_attempts_and_are_shorter_than_a_lease() {
        let longest = [500, 1_000, 2_000, 4_000, 8_000, 8_000];
        for (attempts, longest) in (0..).zip(longest) {
            let delay = retry_delay(attempts).num_milliseconds();
            assert!((longest / 2..=longest).contains(&delay), "{attempts}: {delay}");
        }
        assert!(retry_delay(i64::MAX) < LEASE);
    }
}
