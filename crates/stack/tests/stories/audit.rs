//! Reads the services' databases directly, to check them.

use db::DatabaseUrl;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Executor as _};
use uuid::Uuid;

use crate::eventually;
use crate::sandbox::Sandbox;

/// A direct connection to a service's database.
pub enum Audit {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Audit {
    pub async fn of(sandbox: &Sandbox, service: &str) -> Self {
        match sandbox.database(service) {
            DatabaseUrl::Sqlite(file) => {
                let options = SqliteConnectOptions::new().filename(file);
                Self::Sqlite(SqliteConnection::connect_with(&options).await.unwrap())
            }
            DatabaseUrl::Postgres(options) => {
                Self::Postgres(PgConnection::connect_with(&options).await.unwrap())
            }
        }
    }

    /// Runs a query that returns one number.
    pub async fn number(&mut self, sql: &'static str) -> i64 {
        match self {
            Self::Sqlite(conn) => sqlx::query_scalar(sql).fetch_one(conn).await.unwrap(),
            Self::Postgres(conn) => sqlx::query_scalar(sql).fetch_one(conn).await.unwrap(),
        }
    }

    /// Runs a query that lists ids by a state. Returns them sorted.
    pub async fn listed(&mut self, sql: &'static str, state: &str) -> Vec<Uuid> {
        let ids = match self {
            Self::Sqlite(conn) => sqlx::query_scalar(sql).bind(state).fetch_all(conn).await,
            Self::Postgres(conn) => sqlx::query_scalar(sql).bind(state).fetch_all(conn).await,
        };
        let mut ids: Vec<Uuid> = ids.unwrap();
        ids.sort_unstable();
        ids
    }

    /// Locks these tables against writes until this is dropped.
    pub async fn lock(mut self, tables: &str) -> Self {
        match &mut self {
            // SQLite has one lock for the whole database.
            Self::Sqlite(conn) => conn.execute("begin immediate").await.map(drop).unwrap(),
            Self::Postgres(conn) => {
                let sql = format!("begin; lock table {tables} in exclusive mode");
                conn.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql)))
                    .await
                    .map(drop)
                    .unwrap();
            }
        }
        self
    }

    /// Waits until a statement waits for a lock. SQLite does not report that: there the statement may not have started, but it has
    /// not written anything either.
    pub async fn wait_for_lock_wait(&mut self) {
        const SQL: &str = "
            select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        if let Self::Postgres(_) = self {
            eventually("a statement waits for a lock", async || {
                self.number(SQL).await > 0
            })
            .await;
        }
    }

    /// Runs a query that lists lines: order, product and quantity. Returns them sorted.
    pub async fn lines(&mut self, sql: &'static str) -> Vec<(Uuid, Uuid, i64)> {
        let lines = match self {
            Self::Sqlite(conn) => sqlx::query_as(sql).fetch_all(conn).await,
            Self::Postgres(conn) => sqlx::query_as(sql).fetch_all(conn).await,
        };
        let mut lines: Vec<_> = lines.unwrap();
        lines.sort_unstable();
        lines
    }

    /// Checks that the stock journal adds up to the stock, that reserved stock belongs to reservations, and that the journal of
    /// each order matches the state of its reservation.
    pub async fn assert_stock_is_accounted_for(&mut self) {
        const VIOLATIONS: [(&str, &str); 4] = [
            (
                "stock that differs from its journal",
                "
                select count(*) from stock where
                    on_hand <> (select coalesce(sum(on_hand_change), 0) from stock_journal as entry
                                where entry.product_id = stock.product_id)
                    or reserved <> (select coalesce(sum(reserved_change), 0) from stock_journal as entry
                                    where entry.product_id = stock.product_id)",
            ),
            (
                "reserved stock that differs from the reservations",
                "
                select count(*) from stock where reserved <> (
                    select coalesce(sum(line.quantity), 0) from reservation_lines as line
                    join reservations on reservations.order_id = line.order_id
                    where reservations.state = 'reserved' and line.product_id = stock.product_id)",
            ),
            (
                "reservation lines whose journal does not match their state",
                "
                with journaled as (
                    select line.order_id, line.product_id, line.quantity, reservations.state,
                           count(entry.id) as entries,
                           coalesce(sum(entry.on_hand_change), 0) as on_hand,
                           coalesce(sum(entry.reserved_change), 0) as reserved
                    from reservation_lines as line
                    join reservations on reservations.order_id = line.order_id
                    left join stock_journal as entry
                        on entry.order_id = line.order_id and entry.product_id = line.product_id
                    group by line.order_id, line.product_id, line.quantity, reservations.state)
                select count(*) from journaled where not (case state
                    when 'reserved' then entries = 1 and on_hand = 0 and reserved = quantity
                    when 'committed' then entries = 2 and on_hand = -quantity and reserved = 0
                    when 'released' then entries in (0, 2) and on_hand = 0 and reserved = 0
                    else entries = 0 end)",
            ),
            (
                "journal rows of an order without a reservation line",
                "
                select count(*) from stock_journal as entry where order_id is not null and not exists (
                    select 1 from reservation_lines as line
                    where line.order_id = entry.order_id and line.product_id = entry.product_id)",
            ),
        ];
        for (violation, sql) in VIOLATIONS {
            assert_eq!(self.number(sql).await, 0, "{violation}");
        }
    }
}
