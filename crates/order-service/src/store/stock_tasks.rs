//! The table `stock_tasks`. A task is there until it is done; whoever works on it has it leased, and whoever works on none may
//! take up any that is not, the earlier tasks of an order first. A lease that ends later than any may is none: some clock was
//! wrong.

use chrono::{DateTime, Utc};
use db::{Conn, on};
use uuid::Uuid;

use crate::domain::{LEASE, LONGEST_LEASE, StockTask, StockTaskKind};

pub(crate) struct StockTasks<'c>(pub &'c mut Conn);

impl StockTasks<'_> {
    /// Adds a task that is leased to the caller until then.
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

    /// The orders that have a task which nobody works on, those first that wait longest.
    pub(crate) async fn due(&mut self, now: DateTime<Utc>, most: i64) -> Result<Vec<Uuid>, sqlx::Error> {
        const SQL: &str = "
            select order_id from stock_tasks as task
            where (leased_until <= $1 or leased_until > $3)
              and not exists (
                  select 1 from stock_tasks as earlier
                  where earlier.order_id = task.order_id and earlier.number < task.number)
            order by leased_until limit $2";
        on!(self.0, conn => sqlx::query_scalar(SQL)
            .bind(now)
            .bind(most)
            .bind(now + LONGEST_LEASE)
            .fetch_all(conn)
            .await)
    }

    /// Leases the order's first task to the caller, unless somebody works on it. The guard stands in the statement, so that of
    /// several callers one gets it.
    pub(crate) async fn take_up_next(
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

    /// Whether somebody works on a task of this order that was never postponed.
    pub(crate) async fn is_first_attempt(
        &mut self,
        order_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            select count(*) from stock_tasks
            where order_id = $1 and leased_until > $2 and leased_until <= $3 and attempts = 0";
        let leased: i64 = on!(self.0, conn => sqlx::query_scalar(SQL)
            .bind(order_id)
            .bind(now)
            .bind(now + LONGEST_LEASE)
            .fetch_one(conn)
            .await)?;
        Ok(leased > 0)
    }

    /// Gives a task back, to be taken up again from then on, unless somebody else has taken it up.
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

    /// Strikes off a task that is done. Where somebody else has taken it up meanwhile, they do it again, to no effect.
    pub(crate) async fn finish(&mut self, task: &StockTask) -> Result<(), sqlx::Error> {
        const SQL: &str = "delete from stock_tasks where order_id = $1 and number = $2";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(task.order_id)
            .bind(task.number)
            .execute(conn)
            .await
            .map(drop))
    }
}
