//! The table `stock_journal`: one row for every change of stock.

use db::{Conn, on};
use service_kit::id;
use uuid::Uuid;

use crate::domain::{Movement, Origin};

/// The table, seen through one connection or transaction.
pub(super) struct Journal<'c>(pub &'c mut Conn);

impl Journal<'_> {
    /// Adds a row, in the transaction that changes the stock.
    pub(super) async fn add(
        &mut self,
        product_id: Uuid,
        movement: Movement,
        origin: Origin<'_>,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            insert into stock_journal (id, product_id, kind, on_hand_change, reserved_change, order_id, actor, at)
            values ($1, $2, $3, $4, $5, $6, $7, $8)";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(id::new(origin.at))
            .bind(product_id)
            .bind(movement.kind)
            .bind(movement.on_hand)
            .bind(movement.reserved)
            .bind(movement.order_id)
            .bind(origin.actor)
            .bind(origin.at)
            .execute(conn)
            .await
            .map(drop))
    }
}
