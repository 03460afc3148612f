//! The table `orders`. An order is read and written together with its lines.

use chrono::{DateTime, Utc};
use db::{Conn, on};
use service_kit::{Cursor, Limit};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::order_lines::OrderLines;
use crate::domain::{Order, OrderStatus};

/// The table, seen through one connection or transaction.
pub(crate) struct Orders<'c>(pub &'c mut Conn);

/// The filters of a list. An order matches when it passes every filter that is set.
#[derive(Debug, Default)]
pub(crate) struct Search {
    pub user_id: Option<Uuid>,
    pub status: Option<OrderStatus>,
}

impl Orders<'_> {
    /// The order with this id.
    pub(crate) async fn find(&mut self, id: Uuid) -> Result<Option<Order>, sqlx::Error> {
        const SQL: &str = "
            select id, user_id, status, total_cents, currency, created_at, updated_at from orders where id = $1";
        let order = on!(self.0, conn => sqlx::query_as(SQL).bind(id).fetch_optional(conn).await)?;
        let Some(order) = order else { return Ok(None) };
        Ok(OrderLines(self.0).fill_in(vec![order]).await?.pop())
    }

    /// The orders that match the search, newest first: ids are UUIDs of version 7, which sort by time.
    pub(crate) async fn list(
        &mut self,
        search: &Search,
        cursor: Cursor,
        limit: Limit,
    ) -> Result<Vec<Order>, sqlx::Error> {
        const SQL: &str = "
            select id, user_id, status, total_cents, currency, created_at, updated_at
            from orders where id < ";
        let orders = on!(self.0, conn => {
            let mut query = QueryBuilder::new(SQL);
            query.push_bind(cursor.below());
            // A filter that is not set is left out. With `$n is null or …` neither engine would use the matching index.
            if let Some(user_id) = search.user_id {
                query.push(" and user_id = ").push_bind(user_id);
            }
            if let Some(status) = search.status {
                query.push(" and status = ").push_bind(status);
            }
            query.push(" order by id desc limit ").push_bind(limit.rows());
            query.build_query_as().fetch_all(conn).await
        })?;
        OrderLines(self.0).fill_in(orders).await
    }

    /// Whether any order of this user with this status contains the product.
    pub(crate) async fn any_contains(
        &mut self,
        user_id: Uuid,
        product_id: Uuid,
        status: OrderStatus,
    ) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            select exists (
                select 1 from orders join order_lines on order_lines.order_id = orders.id
                where orders.user_id = $1 and orders.status = $2 and order_lines.product_id = $3)";
        on!(self.0, conn => sqlx::query_scalar(SQL)
            .bind(user_id)
            .bind(status)
            .bind(product_id)
            .fetch_one(conn)
            .await)
    }

    /// Inserts a new order with its lines.
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

    /// Gives a pending order its status after the reservation. Returns whether it was still pending.
    pub(crate) async fn settle(
        &mut self,
        id: Uuid,
        status: OrderStatus,
        now: DateTime<Utc>,
    ) -> Result<bool, sqlx::Error> {
        self.transition(id, &[OrderStatus::Pending], status, now).await
    }

    /// Cancels a pending or confirmed order. Returns whether this call cancelled it.
    pub(crate) async fn cancel(&mut self, id: Uuid, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
        let from = [OrderStatus::Pending, OrderStatus::Confirmed];
        self.transition(id, &from, OrderStatus::Cancelled, now).await
    }

    /// Fulfils a confirmed order. Returns whether this call fulfilled it.
    pub(crate) async fn fulfil(&mut self, id: Uuid, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
        self.transition(id, &[OrderStatus::Confirmed], OrderStatus::Fulfilled, now)
            .await
    }

    /// Changes the status if it is one of `from`. The condition is part of the statement, so that one of several concurrent
    /// callers succeeds.
    async fn transition(
        &mut self,
        id: Uuid,
        from: &[OrderStatus],
        to: OrderStatus,
        now: DateTime<Utc>,
    ) -> Result<bool, sqlx::Error> {
        const SQL: &str = "update orders set updated_at = ";
        on!(self.0, conn => {
            let mut query = QueryBuilder::new(SQL);
            query.push_bind(now).push(", status = ").push_bind(to);
            query.push(" where id = ").push_bind(id).push(" and status in (");
            let mut statuses = query.separated(", ");
            for status in from {
                statuses.push_bind(*status);
            }
            query.push(")");
            Ok(query.build().execute(conn).await?.rows_affected() == 1)
        })
    }
}
