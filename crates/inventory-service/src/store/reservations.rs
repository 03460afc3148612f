//! The tables `reservations` and `reservation_lines`. No row ever goes: each is the memory of an answer.

use chrono::{DateTime, Utc};
use db::{Conn, on};
use uuid::Uuid;

use crate::domain::{Line, Reservation, Short, State};

pub(crate) struct Reservations<'c>(pub &'c mut Conn);

#[derive(sqlx::FromRow)]
struct KeptLine {
    product_id: Uuid,
    quantity: i64,
    available: Option<i64>,
}

impl Reservations<'_> {
    /// Writes an order down in this state, unless it is there, and says whether this call did. Of several that come at once the
    /// others wait until the first has committed.
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

    /// Adds a line, with how much there is where that is too little.
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

    /// Turns a reservation from one state to another, and says whether this call did: of several, one does.
    pub(crate) async fn turn(&mut self, order_id: Uuid, from: State, to: State) -> Result<bool, sqlx::Error> {
        const SQL: &str = "update reservations set state = $3 where order_id = $1 and state = $2";
        on!(self.0, conn => {
            let query = sqlx::query(SQL).bind(order_id).bind(from).bind(to);
            Ok(query.execute(conn).await?.rows_affected() == 1)
        })
    }

    /// The reservation, with its lines in the order of products.
    pub(crate) async fn find(&mut self, order_id: Uuid) -> Result<Option<Reservation>, sqlx::Error> {
        const ORDER: &str = "select state, created_at from reservations where order_id = $1";
        const LINES: &str = "
            select product_id, quantity, available from reservation_lines
            where order_id = $1 order by product_id";
        let found = on!(self.0, conn => sqlx::query_as(ORDER).bind(order_id).fetch_optional(conn).await)?;
        let Some((state, created_at)) = found else {
            return Ok(None);
        };
        let lines: Vec<KeptLine> =
            on!(self.0, conn => sqlx::query_as(LINES).bind(order_id).fetch_all(conn).await)?;

        let short = lines.iter().filter_map(KeptLine::short).collect();
        let items = lines.into_iter().map(KeptLine::into_line).collect();
        Ok(Some(Reservation {
            order_id,
            state,
            items,
            created_at,
            short,
        }))
    }
}

impl KeptLine {
    fn short(&self) -> Option<Short> {
        let Self {
            product_id,
            quantity: requested,
            available,
        } = *self;
        available.map(|available| Short {
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
