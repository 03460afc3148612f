//! The table `stock`.

use chrono::{DateTime, Utc};
use db::{Conn, on};
use uuid::Uuid;

use super::journal::Journal;
use crate::domain::{Act, Line, Movement, Stock};

pub(crate) struct Stocks<'c>(pub &'c mut Conn);

impl Stocks<'_> {
    pub(crate) async fn find(&mut self, product_id: Uuid) -> Result<Option<Stock>, sqlx::Error> {
        const SQL: &str = "
            select product_id, on_hand, reserved, on_hand - reserved as available, updated_at, version
            from stock where product_id = $1";
        on!(self.0, conn => sqlx::query_as(SQL).bind(product_id).fetch_optional(conn).await)
    }

    /// Begins the row of a product that was never stocked. Of several that come at once the others wait for the first.
    pub(crate) async fn begin(&mut self, product_id: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            insert into stock (product_id, on_hand, reserved, version, updated_at) values ($1, 0, 0, 0, $2)
            on conflict do nothing";
        on!(self.0, conn => sqlx::query(SQL).bind(product_id).bind(now).execute(conn).await.map(drop))
    }

    /// The stock of a product, which nobody else changes until this transaction ends.
    pub(crate) async fn hold(&mut self, product_id: Uuid) -> Result<Option<Stock>, sqlx::Error> {
        // An update is the one lock on a row that both engines have.
        const SQL: &str = "
            update stock set version = version where product_id = $1
            returning product_id, on_hand, reserved, on_hand - reserved as available, updated_at, version";
        on!(self.0, conn => sqlx::query_as(SQL).bind(product_id).fetch_optional(conn).await)
    }

    /// Changes a product's stock and writes that down. `None`, and nothing done, where more would be promised than there is,
    /// or less than nothing.
    pub(crate) async fn apply(
        &mut self,
        product_id: Uuid,
        movement: Movement,
        act: Act<'_>,
    ) -> Result<Option<Stock>, sqlx::Error> {
        const SQL: &str = "
            update stock
            set on_hand = on_hand + $2, reserved = reserved + $3, version = version + 1, updated_at = $4
            where product_id = $1 and reserved + $3 between 0 and on_hand + $2
            returning product_id, on_hand, reserved, on_hand - reserved as available, updated_at, version";
        let changed = on!(self.0, conn => sqlx::query_as(SQL)
            .bind(product_id)
            .bind(movement.on_hand)
            .bind(movement.reserved)
            .bind(act.at)
            .fetch_optional(conn)
            .await)?;
        if changed.is_some() {
            Journal(self.0).add(product_id, movement, act).await?;
        }
        Ok(changed)
    }

    /// Changes the stock of all lines of an order, which allows it. The lines are in the order of products, so of two orders
    /// that share some, one waits for the other and never each for the other.
    pub(crate) async fn apply_all(
        &mut self,
        order_id: Uuid,
        lines: &[Line],
        movement: fn(Uuid, i64) -> Movement,
        act: Act<'_>,
    ) -> Result<(), sqlx::Error> {
        for line in lines {
            let changed = self
                .apply(line.product_id, movement(order_id, line.quantity), act)
                .await?;
            changed.ok_or(sqlx::Error::RowNotFound)?;
        }
        Ok(())
    }
}
