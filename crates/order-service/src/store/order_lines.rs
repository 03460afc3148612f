//! The table `order_lines`.

use std::collections::HashMap;

use db::{Conn, on};
use sqlx::QueryBuilder;
use uuid::Uuid;

use crate::domain::{Line, Order};

/// The table, seen through one connection or transaction.
pub(crate) struct OrderLines<'c>(pub &'c mut Conn);

#[derive(sqlx::FromRow)]
struct Row {
    order_id: Uuid,
    #[sqlx(flatten)]
    line: Line,
}

impl OrderLines<'_> {
    /// Fills in the lines of orders that were read without them, with one query for all.
    pub(super) async fn fill_in(&mut self, mut orders: Vec<Order>) -> Result<Vec<Order>, sqlx::Error> {
        const SQL: &str = "
            select order_id, product_id, name, unit_price_cents, quantity, available
            from order_lines where order_id in (";
        if orders.is_empty() {
            return Ok(orders);
        }

        let rows: Vec<Row> = on!(self.0, conn => {
            let mut query = QueryBuilder::new(SQL);
            let mut ids = query.separated(", ");
            for order in &orders {
                ids.push_bind(order.id);
            }
            query.push(") order by order_id, position");
            query.build_query_as().fetch_all(conn).await
        })?;

        let mut lines: HashMap<Uuid, Vec<Line>> = HashMap::new();
        for Row { order_id, line } in rows {
            lines.entry(order_id).or_default().push(line);
        }
        for order in &mut orders {
            order.items = lines.remove(&order.id).unwrap_or_default();
        }
        Ok(orders)
    }

    /// Inserts the lines of a new order.
    pub(super) async fn add(&mut self, order: &Order) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            insert into order_lines (order_id, position, product_id, name, unit_price_cents, quantity)
            values ($1, $2, $3, $4, $5, $6)";
        for (line, position) in order.items.iter().zip(0_i64..) {
            on!(self.0, conn => sqlx::query(SQL)
                .bind(order.id)
                .bind(position)
                .bind(line.product_id)
                .bind(&line.name)
                .bind(line.unit_price_cents)
                .bind(line.quantity)
                .execute(conn)
                .await
                .map(drop))?;
        }
        Ok(())
    }

    /// Records the available quantity of the products that were short.
    pub(crate) async fn record_shortage(
        &mut self,
        order_id: Uuid,
        short: &HashMap<Uuid, i64>,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "update order_lines set available = $3 where order_id = $1 and product_id = $2";
        for (product_id, available) in short {
            on!(self.0, conn => sqlx::query(SQL)
                .bind(order_id)
                .bind(product_id)
                .bind(available)
                .execute(conn)
                .await
                .map(drop))?;
        }
        Ok(())
    }
}
