//! Direct access to the service's database.

use db::{Db, Migrations, on};
use sqlx::AssertSqlSafe;
use test_kit::TestService;

pub static MIGRATIONS: Migrations = Migrations {
    sqlite: sqlx::migrate!("../../migrations/user-service/sqlite"),
    postgres: sqlx::migrate!("../../migrations/user-service/postgres"),
};

/// Opens the service's database.
pub async fn database(users: &TestService) -> Db {
    Db::open(&users.database().url(), &MIGRATIONS).await.unwrap()
}

/// Runs a statement on the service's database.
pub async fn execute(users: &TestService, sql: &str) {
    let mut tx = database(users).await.begin().await.unwrap();
    on!(tx, conn => sqlx::query(AssertSqlSafe(sql)).execute(conn).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
}

/// Returns the text in the single row of a query.
pub async fn text(users: &TestService, sql: &str) -> String {
    let mut conn = database(users).await.read().await.unwrap();
    on!(conn, conn => sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(conn).await).unwrap()
}

/// Returns the number in the single row of a query.
pub async fn number(users: &TestService, sql: &str) -> i64 {
    let mut conn = database(users).await.read().await.unwrap();
    on!(conn, conn => sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(conn).await).unwrap()
}
