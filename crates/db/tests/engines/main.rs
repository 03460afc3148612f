//! The behaviour of both engines: values, transactions, errors, migrations and outages.
#![expect(clippy::expect_used, reason = "an error here fails the test")]

mod creation;
mod errors;
mod files;
mod migrations;
mod notifications;
mod outages;
mod retries;
mod transactions;
mod values;

use db::{Conn, Db, Migrations, on};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};
use test_kit::TestDatabase;

/// The table of notes, for PostgreSQL and for SQLite.
const NOTES: &str = "create table notes (id bigint primary key, text text not null)";
const NOTES_SQLITE: &str = "create table notes (id integer primary key, text text not null) strict";

/// Migrations numbered from 1, for each engine.
pub(crate) fn migrations(sqlite: &[&'static str], postgres: &[&'static str]) -> Migrations {
    let numbered = |all: &[&'static str]| {
        let migration = |(version, sql): (i64, &&'static str)| {
            Migration::new(
                version,
                "test".into(),
                MigrationType::Simple,
                sql.into_sql_str(),
                false,
            )
        };
        Migrator::with_migrations((1..).zip(all).map(migration).collect())
    };
    Migrations {
        sqlite: numbered(sqlite),
        postgres: numbered(postgres),
    }
}

/// A database with an empty table of notes.
pub(crate) async fn notebook() -> (TestDatabase, Db) {
    let database = TestDatabase::new().await;
    let db = open_notebook(&database).await;
    (database, db)
}

/// Opens a database with a table of notes, which is created if it is not there.
pub(crate) async fn open_notebook(database: &TestDatabase) -> Db {
    Db::open(&database.url(), &migrations(&[NOTES_SQLITE], &[NOTES]))
        .await
        .expect("a database")
}

/// The table of notes, as a service would write it.
pub(crate) struct Notes<'c>(pub &'c mut Conn);

impl Notes<'_> {
    pub(crate) async fn add(&mut self, id: i64, text: &str) -> Result<(), sqlx::Error> {
        const SQL: &str = "insert into notes (id, text) values ($1, $2)";
        on!(self.0, conn => sqlx::query(SQL).bind(id).bind(text).execute(conn).await.map(drop))
    }

    pub(crate) async fn rewrite(&mut self, id: i64, text: &str) -> Result<bool, sqlx::Error> {
        const SQL: &str = "update notes set text = $2 where id = $1";
        on!(self.0, conn => Ok(sqlx::query(SQL).bind(id).bind(text).execute(conn).await?.rows_affected() == 1))
    }

    pub(crate) async fn text(&mut self, id: i64) -> Result<Option<String>, sqlx::Error> {
        const SQL: &str = "select text from notes where id = $1";
        on!(self.0, conn => sqlx::query_scalar(SQL).bind(id).fetch_optional(conn).await)
    }

    pub(crate) async fn count(&mut self) -> Result<i64, sqlx::Error> {
        on!(self.0, conn => sqlx::query_scalar("select count(*) from notes").fetch_one(conn).await)
    }
}

/// Runs one statement without parameters.
pub(crate) async fn execute(conn: &mut Conn, sql: &str) -> Result<u64, sqlx::Error> {
    let sql = AssertSqlSafe(sql.to_owned());
    on!(conn, conn => sqlx::query(sql).execute(conn).await.map(|done| done.rows_affected()))
}

/// Adds a note in its own transaction.
pub(crate) async fn add(db: &Db, id: i64, text: &str) {
    let mut tx = db.begin().await.expect("a transaction");
    Notes(&mut tx).add(id, text).await.expect("a note");
    tx.commit().await.expect("a commit");
}

/// The number of notes that a reader sees.
pub(crate) async fn count(db: &Db) -> i64 {
    Notes(&mut db.read().await.expect("a reader"))
        .count()
        .await
        .expect("a number")
}
