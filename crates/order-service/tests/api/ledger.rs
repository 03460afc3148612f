//! What always holds once nothing is left to do, in the service's own database and in that of inventory-service.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use db::{DatabaseUrl, Db, Engine, Migrations, Tx, on};
use serde_json::Value;
use uuid::Uuid;

use crate::shop::Shop;
use crate::stockroom::State;

static MIGRATIONS: Migrations = Migrations {
    sqlite: sqlx::migrate!("../../migrations/order-service/sqlite"),
    postgres: sqlx::migrate!("../../migrations/order-service/postgres"),
};

/// The service's own database, looked at from beside it.
#[derive(Clone)]
pub struct Ledger(pub Db);

impl Ledger {
    pub async fn of(database: &DatabaseUrl) -> Self {
        Self(Db::open(database, &MIGRATIONS).await.unwrap())
    }

    pub async fn tasks(&self) -> i64 {
        self.count("select count(*) from stock_tasks").await
    }

    /// How often the tasks that are left were tried in vain.
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

    /// As if so many more keys had been used for each order.
    pub async fn multiply_keys(&self, times: i64) {
        const SQL: &str = "
            with recursive copies (number) as (
                select 1 union all select number + 1 from copies where number < $1)
            insert into idempotency_keys (user_id, key, request_hash, order_id, created_at)
            select user_id, key || cast(number as text), request_hash, order_id, created_at
            from idempotency_keys cross join copies";
        let mut tx = self.0.begin().await.unwrap();
        on!(tx, conn => sqlx::query(SQL).bind(times).execute(conn).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
    }

    /// Claims every key anew. Others see that once it is committed.
    pub async fn claim_keys(&self, now: DateTime<Utc>) -> Tx {
        const SQL: &str = "update idempotency_keys set created_at = $1";
        let mut tx = self.0.begin().await.unwrap();
        on!(tx, conn => sqlx::query(SQL).bind(now).execute(conn).await.map(drop)).unwrap();
        tx
    }

    /// Whether such a statement waits for another transaction, which SQLite does not tell.
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

    /// Nobody else can write, nor on PostgreSQL read, until this is dropped.
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
    /// Every order there is, newest first.
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

    /// Every order is through, and inventory-service knows of it what was decided, and of no other order.
    pub async fn assert_books(&self) {
        assert_eq!(self.ledger.tasks().await, 0);
        let orders = self.orders().await;
        for order in &orders {
            self.assert_told(order);
        }
        let ids: Vec<Uuid> = orders
            .iter()
            .map(|order| order["id"].as_str().unwrap().parse().unwrap())
            .collect();
        let unheard_of: Vec<_> = self
            .near
            .stockroom
            .orders()
            .into_iter()
            .filter(|id| !ids.contains(id))
            .collect();
        assert_eq!(unheard_of, Vec::<Uuid>::new());
        self.near.stockroom.assert_right();
    }

    fn assert_told(&self, order: &Value) {
        let items = order["items"].as_array().unwrap().iter().map(|line| {
            (
                line["product_id"].as_str().unwrap().parse().unwrap(),
                line["quantity"].as_i64().unwrap(),
            )
        });
        let items: BTreeMap<Uuid, i64> = items.collect();
        let known = self
            .near
            .stockroom
            .reservation(order["id"].as_str().unwrap().parse().unwrap());
        let (state, kept) = known.unwrap_or_else(|| panic!("never told: {order}"));
        let right = match order["status"].as_str().unwrap() {
            "confirmed" => state == State::Reserved && kept == items,
            "fulfilled" => state == State::Committed && kept == items,
            "rejected" => state == State::Refused && kept == items,
            "cancelled" => state == State::Released,
            _ => false,
        };
        assert!(right, "{state:?} {kept:?}: {order}");
    }
}
