//! The service's database, looked at from beside it.

use db::{Db, Migrations, on};
use sqlx::AssertSqlSafe;
use test_kit::TestService;

static MIGRATIONS: Migrations = Migrations {
    sqlite: sqlx::migrate!("../../migrations/user-service/sqlite"),
    postgres: sqlx::migrate!("../../migrations/user-service/postgres"),
};

/// The service's database, as another replica has it.
pub async fn database(users: &TestService) -> Db {
    Db::open(&users.database().url(), &MIGRATIONS).await.unwrap()
}

/// Changes the database behind the service's back.
pub async fn execute(users: &TestService, sql: &str) {
    let mut tx = database(users).await.begin().await.unwrap();
    on!(tx, conn => sqlx::query(AssertSqlSafe(sql)).execute(conn).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
}

/// The one text that a query asks for.
pub async fn text(users: &TestService, sql: &str) -> String {
    let mut conn = database(users).await.read().await.unwrap();
    on!(conn, conn => sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(conn).await).unwrap()
}

/// The one number that a query asks for.
pub async fn number(users: &TestService, sql: &str) -> i64 {
    let mut conn = database(users).await.read().await.unwrap();
    on!(conn, conn => sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(conn).await).unwrap()
}
