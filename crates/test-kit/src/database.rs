//! A database for one test.

use std::str::FromStr as _;

use db::DatabaseUrl;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _};
use tempfile::TempDir;
use uuid::Uuid;

/// A database that starts empty and is deleted on drop.
#[derive(Debug)]
pub struct TestDatabase(Engine);

#[derive(Debug)]
enum Engine {
    Sqlite(TempDir),
    Postgres {
        server: Box<PgConnectOptions>,
        name: String,
    },
}

impl TestDatabase {
    /// Creates a database: on the server of `TEST_DATABASE_URL`, else in a SQLite file.
    pub async fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "configures the tests, not a service")]
        let server = std::env::var("TEST_DATABASE_URL");
        let Ok(server) = server else {
            return Self(Engine::Sqlite(
                tempfile::tempdir().expect("a temporary directory"),
            ));
        };
        let server =
            PgConnectOptions::from_str(&server).expect("TEST_DATABASE_URL is a PostgreSQL server's URL");
        let name = format!("test_{}", Uuid::new_v4().simple());
        let mut conn = PgConnection::connect_with(&server)
            .await
            .expect("the PostgreSQL server answers");
        let create = AssertSqlSafe(format!("create database {name}"));
        sqlx::query(create)
            .execute(&mut conn)
            .await
            .expect("the tests may create databases");
        Self(Engine::Postgres {
            server: Box::new(server),
            name,
        })
    }

    /// The URL to open it with.
    pub fn url(&self) -> DatabaseUrl {
        match &self.0 {
            Engine::Sqlite(directory) => DatabaseUrl::Sqlite(directory.path().join("test.db")),
            Engine::Postgres { server, name } => {
                DatabaseUrl::Postgres(Box::new(server.as_ref().clone().database(name)))
            }
        }
    }

    /// Whether it is on PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        matches!(self.0, Engine::Postgres { .. })
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Engine::Postgres { server, name } = &self.0 else {
            return;
        };
        let server = server.clone();
        let statement = format!("drop database if exists {name} with (force)");
        // `drop` can't await, and the test's runtime can't be blocked on from inside: a thread has its own runtime.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let mut conn = PgConnection::connect_with(&server).await?;
                sqlx::query(AssertSqlSafe(statement))
                    .execute(&mut conn)
                    .await
                    .map(drop)
            })
        });
        if !matches!(dropped.join(), Ok(Ok(()))) {
            eprintln!("could not delete the test database {name}");
        }
    }
}
