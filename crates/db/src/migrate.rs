//! Schema migrations at startup. They run under a lock, so replicas can start at the same time.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use sqlx::Connection as _;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};

use crate::conn::bounded;

/// The numbered migrations of a service, in the column types of each engine. Both lists must have the same numbers.
#[derive(Debug)]
pub struct Migrations {
    /// For SQLite.
    pub sqlite: Migrator,
    /// For PostgreSQL.
    pub postgres: Migrator,
}

impl Migrations {
    pub(crate) async fn run_postgres(&self, options: &PgConnectOptions) -> Result<(), MigrateError> {
        // Outside the pool, whose connections have the timeouts of requests: a migration may take longer.
        let mut conn = bounded(PgConnection::connect_with(options)).await?;
        let outcome = self.postgres.run(&mut conn).await;
        conn.close().await?;
        outcome
    }
}

/// Locks a SQLite database for startup: one process at a time opens it, until the returned file is dropped.
///
/// SQLite's own locks don't suffice. They end with a transaction, and each migration is one; and switching a new file to
/// write-ahead logging fails at once while another process holds it.
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
