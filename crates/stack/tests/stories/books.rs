//! What stands in the services' databases, read from outside.

use db::DatabaseUrl;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Executor as _};

use uuid::Uuid;

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

    /// Keeps everybody from writing into this table, until this is dropped.
    pub async fn lock(mut self, table: &str) -> Self {
        match &mut self {
            // SQLite knows one lock for all.
            Self::Sqlite(conn) => conn.execute("begin immediate").await.map(drop).unwrap(),
            Self::Postgres(conn) => {
                let sql = format!("begin; lock table {table} in exclusive mode");
                conn.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await.map(drop).unwrap();
            }
        }
        self
    }

    /// Requires that the journal of inventory-service sums to its stock, that what is reserved is reserved for orders, and that
    /// nothing was sold that there was not.
    pub async fn assert_stock_is_accounted_for(&mut self) {
        const WRONG: [(&str, &str); 3] = [
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
                "stock that was sold and not there",
                "select count(*) from stock where on_hand < reserved or reserved < 0",
            ),
        ];
        for (what, sql) in WRONG {
            assert_eq!(self.number(sql).await, 0, "{what}");
        }
    }
}
