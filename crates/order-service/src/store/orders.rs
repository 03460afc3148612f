//! The table `orders`. An order is read and written together with its lines.

use chrono::{DateTime, Utc};
use db::{Conn, on};
use service_kit::{Cursor, Limit};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::order_lines::OrderLines;
use crate::domain::{Order, OrderStatus};

pub(crate) struct Orders<'c>(pub &'c mut Conn);

/// Which orders somebody looks for. All that is given has to hold.
#[derive(Debug, Default)]
pub(crate) struct Search {
    pub user_id: Option<Uuid>,
    pub status: Option<OrderStatus>,
}

impl Orders<'_> {
    pub(crate) async fn find(&mut self, id: Uuid) -> Result<Option<Order>, sqlx::Error> {
        const SQL: &str = "
            select id, user_id, status, total_cents, currency, created_at, updated_at from orders where id = $1";
        let order = on!(self.0, conn => sqlx::query_as(SQL).bind(id).fetch_optional(conn).await)?;
        let Some(order) = order else { return Ok(None) };
        Ok(OrderLines(self.0).put_to(vec![order]).await?.pop())
    }

    pub(crate) async fn list(
        &mut self,
        search: &Search,
        cursor: Cursor,
        limit: Limit,
    ) -> Result<Vec<Order>, sqlx::Error> {
        const SQL: &str = "
            select id, user_id, status, total_cents, currency, created_at, updated_at
            from orders where id < $1";
        // What is not asked for is left out, not compared with null: else neither engine would use the index that fits.
        let conditions = match (search.user_id, search.status) {
            (None, None) => "",
            (Some(_), None) => "and user_id = $3",
            (None, Some(_)) => "and status = $3",
            (Some(_), Some(_)) => "and user_id = $3 and status = $4",
        };
        let sql = format!("{SQL} {conditions} order by id desc limit $2");
        let orders = on!(self.0, conn => {
            // Safe: it is put together from constants.
            let mut query = sqlx::query_as(AssertSqlSafe(sql)).bind(cursor.below()).bind(limit.rows());
            if let Some(user_id) = search.user_id {
                query = query.bind(user_id);
            }
            if let Some(status) = search.status {
                query = query.bind(status);
            }
            query.fetch_all(conn).await
        })?;
        OrderLines(self.0).put_to(orders).await
    }

    pub(crate) async fn add(&mut self, order: &Order) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            insert into orders (id, user_id, status, total_cents, currency, created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7)";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(order.id)
            .bind(order.user_id)
            .bind(order.status)
            .bind(order.total_cents)
            .bind(&order.currency)
            .bind(order.created_at)
            .bind(order.updated_at)
            .execute(conn)
            .await
            .map(drop))?;
        OrderLines(self.0).add(order).await
    }

    /// Writes down whether there is stock for a pending order, and says whether it was pending.
    pub(crate) async fn settle(
        &mut self,
        id: Uuid,
        status: OrderStatus,
        now: DateTime<Utc>,
    ) -> Result<bool, sqlx::Error> {
        self.change(id, &[OrderStatus::Pending], status, now).await
    }

    /// Cancels an order that has not left, and says whether this call was the one that did.
    pub(crate) async fn cancel(&mut self, id: Uuid, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
        let from = [OrderStatus::Pending, OrderStatus::Confirmed];
        self.change(id, &from, OrderStatus::Cancelled, now).await
    }

    /// Fulfils a confirmed order, and says whether this call was the one that did.
    pub(crate) async fn fulfil(&mut self, id: Uuid, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
        self.change(id, &[OrderStatus::Confirmed], OrderStatus::Fulfilled, now)
            .await
    }

    /// The guard stands in the statement, so that of several callers one wins.
    async fn change(
        &mut self,
        id: Uuid,
        from: &[OrderStatus],
        to: OrderStatus,
        now: DateTime<Utc>,
    ) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            update orders set status = $2, updated_at = $3 where id = $1 and status in ($4, $5)";
        let (Some(one), Some(other)) = (from.first(), from.last()) else {
            return Ok(false);
        };
        on!(self.0, conn => {
            let query = sqlx::query(SQL).bind(id).bind(to).bind(now).bind(*one).bind(*other);
            Ok(query.execute(conn).await?.rows_affected() == 1)
        })
    }
}
