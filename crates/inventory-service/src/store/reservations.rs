//! The tables `reservations` and `reservation_lines`. Rows are never deleted: a repeated request gets the answer of the first
//! one.

use chrono::{DateTime, Utc};
use db::{Conn, on};
use uuid::Uuid;

use crate::domain::{Line, Reservation, Shortage, State};

/// The tables, seen through one connection or transaction.
pub(crate) struct Reservations<'c>(pub &'c mut Conn);

#[derive(sqlx::FromRow)]
struct LineRow {
    product_id: Uuid,
    quantity: i64,
    available: Option<i64>,
}

impl Reservations<'_> {
    /// Inserts a reservation unless the order has one. Returns whether it was inserted. Concurrent callers wait until the first
    /// has committed, because they insert the same primary key.
    pub(crate) async fn add(
        &mut self,
        order_id: Uuid,
        state: State,
        now: DateTime<Utc>,
    ) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            insert into reservations (order_id, state, created_at) values ($1, $2, $3) on conflict do nothing";
        on!(self.0, conn => {
            let query = sqlx::query(SQL).bind(order_id).bind(state).bind(now);
            Ok(query.execute(conn).await?.rows_affected() == 1)
        })
    }

    /// Inserts a line, with the available quantity if that is less than requested.
    pub(crate) async fn add_line(
        &mut self,
        order_id: Uuid,
        line: &Line,
        available: Option<i64>,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            insert into reservation_lines (order_id, product_id, quantity, available) values ($1, $2, $3, $4)";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(order_id)
            .bind(line.product_id)
            .bind(line.quantity)
            .bind(available)
            .execute(conn)
            .await
            .map(drop))
    }

    /// Changes the state of a reservation if it is `from`. Returns whether this call changed it. One of several concurrent
    /// callers succeeds.
    pub(crate) async fn transition(
        &mut self,
        order_id: Uuid,
        from: State,
        to: State,
    ) -> Result<bool, sqlx::Error> {
        const SQL: &str = "update reservations set state = $3 where order_id = $1 and state = $2";
        on!(self.0, conn => {
            let query = sqlx::query(SQL).bind(order_id).bind(from).bind(to);
            Ok(query.execute(conn).await?.rows_affected() == 1)
        })
    }

    /// The reservation of an order, with its lines sorted by product.
    pub(crate) async fn find(&mut self, order_id: Uuid) -> Result<Option<Reservation>, sqlx::Error> {
        const ORDER: &str = "select state, created_at from reservations where order_id = $1";
        const LINES: &str = "
            select product_id, quantity, available from reservation_lines
            where order_id = $1 order by product_id";
        let found = on!(self.0, conn => sqlx::query_as(ORDER).bind(order_id).fetch_optional(conn).await)?;
        let Some((state, created_at)) = found else {
            return Ok(None);
        };
        let lines: Vec<LineRow> =
            on!(self.0, conn => sqlx::query_as(LINES).bind(order_id).fetch_all(conn).await)?;

        let short = lines.iter().filter_map(LineRow::shortage).collect();
        let items = lines.into_iter().map(LineRow::into_line).collect();
        Ok(Some(Reservation {
            order_id,
            state,
            items,
            created_at,
            short,
        }))
    }
}

impl LineRow {
    fn shortage(&self) -> Option<Shortage> {
        let Self {
            product_id,
            quantity: requested,
            available,
        } = *self;
        available.map(|available| Shortage {
            product_id,
            requested,
            available,
        })
    }

    fn into_line(self) -> Line {
        Line {
            product_id: self.product_id,
            quantity: self.quantity,
        }
    }
}
