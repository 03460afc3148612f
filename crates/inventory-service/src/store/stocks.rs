//! The table `stock`.

use chrono::{DateTime, Utc};
use db::{Conn, on};
use uuid::Uuid;

use super::journal::Journal;
use crate::domain::{Line, Movement, Origin, Stock};

/// The table, seen through one connection or transaction.
pub(crate) struct Stocks<'c>(pub &'c mut Conn);

impl Stocks<'_> {
    /// The stock of a product, without a lock.
    pub(crate) async fn find(&mut self, product_id: Uuid) -> Result<Option<Stock>, sqlx::Error> {
        const SQL: &str = "
            select product_id, on_hand, reserved, on_hand - reserved as available, updated_at, version
            from stock where product_id = $1";
        on!(self.0, conn => sqlx::query_as(SQL).bind(product_id).fetch_optional(conn).await)
    }

    /// Inserts an empty row for a product that was never stocked. Concurrent callers wait for the first.
    pub(crate) async fn insert_if_missing(
        &mut self,
        product_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            insert into stock (product_id, on_hand, reserved, version, updated_at) values ($1, 0, 0, 0, $2)
            on conflict do nothing";
        on!(self.0, conn => sqlx::query(SQL).bind(product_id).bind(now).execute(conn).await.map(drop))
    }

    /// The stock of a product, locked until the transaction ends.
    pub(crate) async fn lock(&mut self, product_id: Uuid) -> Result<Option<Stock>, sqlx::Error> {
        // An update without effect locks the row on both engines. SQLite has no `select … for update`.
        const SQL: &str = "
            update stock set version = version where product_id = $1
            returning product_id, on_hand, reserved, on_hand - reserved as available, updated_at, version";
        on!(self.0, conn => sqlx::query_as(SQL).bind(product_id).fetch_optional(conn).await)
    }

    /// Changes a product's stock and adds the change to the journal. Returns `None`, and changes nothing, if more would be
    /// reserved than is on hand, or less than nothing.
    pub(crate) async fn apply(
        &mut self,
        product_id: Uuid,
        movement: Movement,
        origin: Origin<'_>,
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
            .bind(origin.at)
            .fetch_optional(conn)
            .await)?;
        if changed.is_some() {
            Journal(self.0).add(product_id, movement, origin).await?;
        }
        Ok(changed)
    }

    /// Changes the stock of all lines of an order. The caller has checked that every change is possible.
    ///
    /// The lines must be sorted by product: then two orders that share products lock them in the same order and can't deadlock.
    pub(crate) async fn apply_all(
        &mut self,
        order_id: Uuid,
        lines: &[Line],
        movement: fn(Uuid, i64) -> Movement,
        origin: Origin<'_>,
    ) -> Result<(), sqlx::Error> {
        for line in lines {
            let changed = self
                .apply(line.product_id, movement(order_id, line.quantity), origin)
                .await?;
            changed.ok_or(sqlx::Error::RowNotFound)?;
        }
        Ok(())
    }
}
