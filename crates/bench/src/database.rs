//! Databases for benchmarks, and direct connections to them.

use std::cell::RefCell;
use std::str::FromStr as _;

use db::DatabaseUrl;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use uuid::Uuid;

use crate::{Failure, cpu};

/// A PostgreSQL server, and the databases created on it.
#[derive(Debug)]
pub(crate) struct Server {
    options: PgConnectOptions,
    created: RefCell<Vec<String>>,
    /// Its main process, if it runs on this machine.
    pub(crate) process: Option<u32>,
}

impl Server {
    /// The server in `TEST_DATABASE_URL`.
    pub(crate) async fn from_environment() -> Result<Option<Self>, Failure> {
        #[expect(
            clippy::disallowed_methods,
            reason = "this variable controls the benchmark and configures no service"
        )]
        let Ok(url) = std::env::var("TEST_DATABASE_URL") else {
            return Ok(None);
        };
        let options = PgConnectOptions::from_str(&url)?;
        let mut conn = PgConnection::connect_with(&options).await?;
        let backend: i32 = sqlx::query_scalar("select pg_backend_pid()")
            .fetch_one(&mut conn)
            .await?;
        let process = cpu::parent_of_postgres(backend.try_into()?);
        conn.close().await?;
        Ok(Some(Self {
            options,
            created: RefCell::default(),
            process,
        }))
    }

    /// Creates a database.
    pub(crate) async fn database(&self) -> Result<PgConnectOptions, sqlx::Error> {
        let name = format!("bench_{}", Uuid::new_v4().simple());
        db::create_database(&DatabaseUrl::Postgres(Box::new(self.options.clone())), &name).await?;
        self.created.borrow_mut().push(name.clone());
        Ok(self.options.clone().database(&name))
    }

    /// Drops all created databases.
    pub(crate) async fn drop_all(self) -> Result<(), sqlx::Error> {
        let mut conn = PgConnection::connect_with(&self.options).await?;
        for name in self.created.into_inner() {
            conn.execute(AssertSqlSafe(format!(
                "drop database if exists {name} with (force)"
            )))
            .await?;
        }
        conn.close().await
    }
}

/// A direct connection to a database.
#[derive(Debug)]
pub(crate) enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Connection {
    /// Connects with the settings of the services: commits are durable.
    pub(crate) async fn open(url: &DatabaseUrl) -> Result<Self, sqlx::Error> {
        match url {
            DatabaseUrl::Sqlite(file) => {
                let options = SqliteConnectOptions::new()
                    .filename(file)
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full);
                SqliteConnection::connect_with(&options).await.map(Self::Sqlite)
            }
            DatabaseUrl::Postgres(options) => PgConnection::connect_with(options).await.map(Self::Postgres),
        }
    }

    /// Runs generated statements.
    pub(crate) async fn run(&mut self, statements: String) -> Result<(), sqlx::Error> {
        let statements = sqlx::raw_sql(AssertSqlSafe(statements));
        match self {
            Self::Sqlite(conn) => conn.execute(statements).await.map(drop),
            Self::Postgres(conn) => conn.execute(statements).await.map(drop),
        }
    }
    /// Runs a query that returns one number.
    pub(crate) async fn number(&mut self, sql: &'static str) -> Result<i64, sqlx::Error> {
        match self {
            Self::Sqlite(conn) => sqlx::query_scalar(sql).fetch_one(conn).await,
            Self::Postgres(conn) => sqlx::query_scalar(sql).fetch_one(conn).await,
        }
    }

    /// Does the maintenance after bulk writes now, so that it does not disturb a measurement.
    pub(crate) async fn settle(&mut self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(_) => self.run("pragma wal_checkpoint(truncate)".to_owned()).await,
            Self::Postgres(_) => {
                self.run("vacuum analyze".to_owned()).await?;
                // The user may lack this privilege.
                drop(self.run("checkpoint".to_owned()).await);
                Ok(())
            }
        }
    }
}
