//! Bringing the schema up to date at start, under a lock, so that replicas may start together.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use sqlx::Connection as _;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};

use crate::conn::bounded;

/// A service's numbered DDL, in each engine's own types. Both lists must have the same numbers.
#[derive(Debug)]
pub struct Migrations {
    /// For SQLite.
    pub sqlite: Migrator,
    /// For PostgreSQL.
    pub postgres: Migrator,
}

impl Migrations {
    pub(crate) async fn run_postgres(&self, options: &PgConnectOptions) -> Result<(), MigrateError> {
        // A connection of its own: a migration may take longer than a request's statement may.
        let mut conn = bounded(PgConnection::connect_with(options)).await?;
        let outcome = self.postgres.run(&mut conn).await;
        conn.close().await?;
        outcome
    }
}

/// Lets one program at a time open a SQLite file, until what this returns is dropped. SQLite has no lock that outlives a
/// transaction, and each migration is one; nor does it wait for its turn to switch a fresh file to its log.
pub(crate) async fn lock(file: &Path) -> Result<File, sqlx::Error> {
    let path = file.with_extension("migrating");
    let locked = tokio::task::spawn_blocking(move || {
        let file = File::options().create(true).append(true).mode(0o600).open(path)?;
        file.lock().map(|()| file)
    });
    locked
        .await
        .map_err(std::io::Error::other)
        .and_then(|locked| locked)
        .map_err(sqlx::Error::Io)
}
