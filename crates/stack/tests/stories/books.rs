//! What stands in the services' databases, read from outside.

use db::DatabaseUrl;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Executor as _};
use uuid::Uuid;

use crate::eventually;
use crate::place::Place;

/// A connection to a service's database, past the service.
pub enum Books {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Books {
    pub async fn of(place: &Place, service: &str) -> Self {
        match place.database(service) {
            DatabaseUrl::Sqlite(file) => {
                let options = SqliteConnectOptions::new().filename(file);
                Self::Sqlite(SqliteConnection::connect_with(&options).await.unwrap())
            }
            DatabaseUrl::Postgres(options) => {
                Self::Postgres(PgConnection::connect_with(&options).await.unwrap())
            }
        }
    }

    /// The one number that this asks for.
    pub async fn number(&mut self, sql: &'static str) -> i64 {
        match self {
            Self::Sqlite(conn) => sqlx::query_scalar(sql).fetch_one(conn).await.unwrap(),
            Self::Postgres(conn) => sqlx::query_scalar(sql).fetch_one(conn).await.unwrap(),
        }
    }

    /// The ids that this lists for a state, in order.
    pub async fn listed(&mut self, sql: &'static str, state: &str) -> Vec<Uuid> {
        let ids = match self {
            Self::Sqlite(conn) => sqlx::query_scalar(sql).bind(state).fetch_all(conn).await,
            Self::Postgres(conn) => sqlx::query_scalar(sql).bind(state).fetch_all(conn).await,
        };
        let mut ids: Vec<Uuid> = ids.unwrap();
        ids.sort_unstable();
        ids
    }

    /// Keeps everybody from writing into these tables, until this is dropped.
    pub async fn lock(mut self, tables: &str) -> Self {
        match &mut self {
            // SQLite knows one lock for all.
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

    /// Waits until somebody waits for a lock. SQLite does not tell: there it may be that somebody is only about to, who has written
    /// just as little.
    pub async fn wait_until_somebody_waits(&mut self) {
        const SQL: &str = "
            select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        if let Self::Postgres(_) = self {
            eventually("somebody waits for a lock", async || self.number(SQL).await > 0).await;
        }
    }

    /// The lines that this lists, each with an order, a product and a quantity, in order.
    pub async fn lines(&mut self, sql: &'static str) -> Vec<(Uuid, Uuid, i64)> {
        let lines = match self {
            Self::Sqlite(conn) => sqlx::query_as(sql).fetch_all(conn).await,
            Self::Postgres(conn) => sqlx::query_as(sql).fetch_all(conn).await,
        };
        let mut lines: Vec<_> = lines.unwrap();
        lines.sort_unstable();
        lines
    }

    /// Requires that the journal of inventory-service sums to its stock, that what is reserved is reserved for orders, and that
    /// of each order the journal says what its state says: kept, kept and given back, kept and gone, or nothing.
    pub async fn assert_stock_is_accounted_for(&mut self) {
        const WRONG: [(&str, &str); 4] = [
            (
                "stock that its journal does not sum to",
                "
                select count(*) from stock where
                    on_hand <> (select coalesce(sum(on_hand_change), 0) from stock_journal as entry
                                where entry.product_id = stock.product_id)
                    or reserved <> (select coalesce(sum(reserved_change), 0) from stock_journal as entry
                                    where entry.product_id = stock.product_id)",
            ),
            (
                "stock that is reserved for no order, or not for what was ordered",
                "
                select count(*) from stock where reserved <> (
                    select coalesce(sum(line.quantity), 0) from reservation_lines as line
                    join reservations on reservations.order_id = line.order_id
                    where reservations.state = 'reserved' and line.product_id = stock.product_id)",
            ),
            (
                "lines of orders of which the journal says something else than their state",
                "
                with told as (
                    select line.order_id, line.product_id, line.quantity, reservations.state,
                           count(entry.id) as entries,
                           coalesce(sum(entry.on_hand_change), 0) as on_hand,
                           coalesce(sum(entry.reserved_change), 0) as reserved
                    from reservation_lines as line
                    join reservations on reservations.order_id = line.order_id
                    left join stock_journal as entry
                        on entry.order_id = line.order_id and entry.product_id = line.product_id
                    group by line.order_id, line.product_id, line.quantity, reservations.state)
                select count(*) from told where not (case state
                    when 'reserved' then entries = 1 and on_hand = 0 and reserved = quantity
                    when 'committed' then entries = 2 and on_hand = -quantity and reserved = 0
                    when 'released' then entries in (0, 2) and on_hand = 0 and reserved = 0
                    else entries = 0 end)",
            ),
            (
                "changes for an order of what it has no line of",
                "
                select count(*) from stock_journal as entry where order_id is not null and not exists (
                    select 1 from reservation_lines as line
                    where line.order_id = entry.order_id and line.product_id = entry.product_id)",
            ),
        ];
        for (what, sql) in WRONG {
            assert_eq!(self.number(sql).await, 0, "{what}");
        }
    }
}
