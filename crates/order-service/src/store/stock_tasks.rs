//! The table `stock_tasks`. A task's row exists until the task is done.
//!
//! A request or worker leases a task before it executes it. A task without a valid lease is free for every worker. Tasks of
//! one order are leased one at a time, in the order of their numbers.
//!
//! A lease that ends later than [`LONGEST_LEASE`] from now is not valid: it was written by a clock that was wrong, and would
//! otherwise block the task until that time.

use chrono::{DateTime, Utc};
use db::{Conn, on};
use uuid::Uuid;

use crate::domain::{LEASE, LONGEST_LEASE, StockTask, StockTaskKind};

/// The table, seen through one connection or transaction.
pub(crate) struct StockTasks<'c>(pub &'c mut Conn);

impl StockTasks<'_> {
    /// Adds a task, leased to the caller until `leased_until`. A time that is not in the future means: not leased.
    pub(crate) async fn add(
        &mut self,
        order_id: Uuid,
        kind: StockTaskKind,
        leased_until: DateTime<Utc>,
    ) -> Result<StockTask, sqlx::Error> {
        const SQL: &str = "
            insert into stock_tasks (order_id, number, kind, lease, leased_until, attempts)
            values ($1, $2, $3, $4, $5, 0)
            returning order_id, number, kind, lease, attempts";
        on!(self.0, conn => sqlx::query_as(SQL)
            .bind(order_id)
            .bind(kind.number())
            .bind(kind)
            .bind(Uuid::new_v4())
            .bind(leased_until)
            .fetch_one(conn)
            .await)
    }

    /// The orders whose first task is free, longest-waiting first.
    pub(crate) async fn due(&mut self, now: DateTime<Utc>, limit: i64) -> Result<Vec<Uuid>, sqlx::Error> {
        const SQL: &str = "
            select order_id from stock_tasks as task
            where (leased_until <= $1 or leased_until > $3)
              and not exists (
                  select 1 from stock_tasks as earlier
                  where earlier.order_id = task.order_id and earlier.number < task.number)
            order by leased_until limit $2";
        on!(self.0, conn => sqlx::query_scalar(SQL)
            .bind(now)
            .bind(limit)
            .bind(now + LONGEST_LEASE)
            .fetch_all(conn)
            .await)
    }

    /// Leases the order's first task to the caller if it is free. The condition is part of the statement, so that one of
    /// several concurrent callers gets the task.
    pub(crate) async fn lease_next(
        &mut self,
        order_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Option<StockTask>, sqlx::Error> {
        const SQL: &str = "
            update stock_tasks set lease = $2, leased_until = $4
            where order_id = $1 and (leased_until <= $3 or leased_until > $5)
              and number = (select min(number) from stock_tasks where order_id = $1)
            returning order_id, number, kind, lease, attempts";
        on!(self.0, conn => sqlx::query_as(SQL)
            .bind(order_id)
            .bind(Uuid::new_v4())
            .bind(now)
            .bind(now + LEASE)
            .bind(now + LONGEST_LEASE)
            .fetch_optional(conn)
            .await)
    }

    /// Whether a task of this order is leased and was never postponed.
    pub(crate) async fn is_first_attempt(
        &mut self,
        order_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            select count(*) from stock_tasks
            where order_id = $1 and leased_until > $2 and leased_until <= $3 and attempts = 0";
        let count: i64 = on!(self.0, conn => sqlx::query_scalar(SQL)
            .bind(order_id)
            .bind(now)
            .bind(now + LONGEST_LEASE)
            .fetch_one(conn)
            .await)?;
        Ok(count > 0)
    }

    /// Ends the caller's lease after a failed attempt; the task is free again from `due` on. Does nothing if another worker
    /// has leased the task since.
    pub(crate) async fn postpone(&mut self, task: &StockTask, due: DateTime<Utc>) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            update stock_tasks set leased_until = $4, attempts = attempts + 1
            where order_id = $1 and number = $2 and lease = $3";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(task.order_id)
            .bind(task.number)
            .bind(task.lease)
            .bind(due)
            .execute(conn)
            .await
            .map(drop))
    }

    /// Deletes a task that is done, even if another worker has leased it since. That worker repeats the call to
    /// inventory-service, which has no further effect.
    pub(crate) async fn delete(&mut self, task: &StockTask) -> Result<(), sqlx::Error> {
        const SQL: &str = "delete from stock_tasks where order_id = $1 and number = $2";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(task.order_id)
            .bind(task.number)
            .execute(conn)
            .await
            .map(drop))
    }
}
