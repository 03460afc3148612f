//! The service's database as tests see it, and the check that it agrees with the fake inventory-service.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use db::{DatabaseUrl, Db, Engine, Migrations, Tx, on};
use serde_json::Value;
use uuid::Uuid;

use crate::fake_inventory::State;
use crate::shop::Shop;

static MIGRATIONS: Migrations = Migrations {
    sqlite: sqlx::migrate!("../../migrations/order-service/sqlite"),
    postgres: sqlx::migrate!("../../migrations/order-service/postgres"),
};

/// A second connection pool to the service's database.
#[derive(Clone)]
pub struct OrderDb(pub Db);

impl OrderDb {
    pub async fn open(database: &DatabaseUrl) -> Self {
        Self(Db::open(database, &MIGRATIONS).await.unwrap())
    }

    pub async fn tasks(&self) -> i64 {
        self.count("select count(*) from stock_tasks").await
    }

    /// The failed attempts of all remaining tasks.
    pub async fn attempts(&self) -> i64 {
        self.count("select cast(coalesce(sum(attempts), 0) as bigint) from stock_tasks")
            .await
    }

    pub async fn orders(&self) -> i64 {
        self.count("select count(*) from orders").await
    }

    pub async fn keys(&self) -> i64 {
        self.count("select count(*) from idempotency_keys").await
    }

    /// Adds `copies` more keys for each key, for the same order.
    pub async fn copy_keys(&self, copies: i64) {
        const SQL: &str = "
            with recursive numbers (number) as (
                select 1 union all select number + 1 from numbers where number < $1)
            insert into idempotency_keys (user_id, key, request_hash, order_id, created_at)
            select user_id, key || cast(number as text), request_hash, order_id, created_at
            from idempotency_keys cross join numbers";
        let mut tx = self.0.begin().await.unwrap();
        on!(tx, conn => sqlx::query(SQL).bind(copies).execute(conn).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
    }

    /// Renews the time of every key, in a transaction that the caller commits.
    pub async fn renew_keys(&self, now: DateTime<Utc>) -> Tx {
        const SQL: &str = "update idempotency_keys set created_at = $1";
        let mut tx = self.0.begin().await.unwrap();
        on!(tx, conn => sqlx::query(SQL).bind(now).execute(conn).await.map(drop)).unwrap();
        tx
    }

    /// Whether a statement that contains this text waits for a lock. SQLite does not report that: `None`.
    pub async fn is_waiting(&self, statement: &str) -> Option<bool> {
        const SQL: &str = "
            select count(*) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock' and query like '%' || $1 || '%'";
        match self.0.read().await.unwrap().engine() {
            Engine::Sqlite(_) => None,
            Engine::Postgres(conn) => Some(
                sqlx::query_scalar::<_, i64>(SQL)
                    .bind(statement)
                    .fetch_one(conn)
                    .await
                    .unwrap()
                    > 0,
            ),
        }
    }

    /// Blocks all writes, and on PostgreSQL all reads, until the returned transaction is dropped.
    pub async fn lock(&self) -> Tx {
        let mut tx = self.0.begin().await.unwrap();
        if let Engine::Postgres(conn) = tx.engine() {
            const SQL: &str = "lock table orders, stock_tasks, idempotency_keys in access exclusive mode";
            sqlx::query(SQL).execute(conn).await.unwrap();
        }
        tx
    }

    async fn count(&self, sql: &'static str) -> i64 {
        let mut conn = self.0.read().await.unwrap();
        on!(conn, conn => sqlx::query_scalar(sql).fetch_one(conn).await).unwrap()
    }
}

impl Shop {
    /// Every order, newest first.
    pub async fn orders(&self) -> Vec<Value> {
        let (mut orders, mut path) = (Vec::new(), "/orders?limit=100".to_owned());
        loop {
            let page = self.admin().get(&path).await.assert_status(200).json();
            orders.extend(page["items"].as_array().unwrap().iter().cloned());
            let Some(cursor) = page["next_cursor"].as_str() else {
                return orders;
            };
            path = format!("/orders?limit=100&cursor={cursor}");
        }
    }

    /// Asserts that no task is left, and that inventory-service has exactly the reservations that the orders require.
    pub async fn assert_consistent(&self) {
        assert_eq!(self.db.tasks().await, 0);
        let orders = self.orders().await;
        for order in &orders {
            self.assert_reservation(order);
        }
        let ids: Vec<Uuid> = orders
            .iter()
            .map(|order| order["id"].as_str().unwrap().parse().unwrap())
            .collect();
        let without_order: Vec<_> = self
            .neighbours
            .fake_inventory
            .orders()
            .into_iter()
            .filter(|id| !ids.contains(id))
            .collect();
        assert_eq!(without_order, Vec::<Uuid>::new());
        self.neighbours.fake_inventory.assert_consistent();
    }

    fn assert_reservation(&self, order: &Value) {
        let items = order["items"].as_array().unwrap().iter().map(|line| {
            (
                line["product_id"].as_str().unwrap().parse().unwrap(),
                line["quantity"].as_i64().unwrap(),
            )
        });
        let items: BTreeMap<Uuid, i64> = items.collect();
        let reservation = self
            .neighbours
            .fake_inventory
            .reservation(order["id"].as_str().unwrap().parse().unwrap());
        let (state, reserved) = reservation.unwrap_or_else(|| panic!("no reservation: {order}"));
        let is_consistent = match order["status"].as_str().unwrap() {
            "confirmed" => state == State::Reserved && reserved == items,
            "fulfilled" => state == State::Committed && reserved == items,
            "rejected" => state == State::Refused && reserved == items,
            "cancelled" => state == State::Released,
            _ => false,
        };
        assert!(is_consistent, "{state:?} {reserved:?}: {order}");
    }
}
