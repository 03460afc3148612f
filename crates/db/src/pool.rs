//! The connection pools, configured for each engine.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::migrate::MigrateError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection as _, Sqlite, SqliteConnection};

use crate::conn::{Conn, Inner, STATEMENT_TIMEOUT, Tx, bounded};
use crate::error::is_transient;
use crate::migrate::{self, Migrations};
use crate::url::DatabaseUrl;

const SQLITE_READERS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 10;
/// How often [`Db::retry`] calls its work at most.
const ATTEMPTS: u32 = 4;

/// A service's database. Clones share the pools.
#[derive(Clone, Debug)]
pub struct Db(Pools);

#[derive(Clone, Debug)]
pub(crate) enum Pools {
    /// SQLite lets one connection write at a time, so the writer pool has one. Readers see the last commit and don't wait.
    Sqlite {
        writer: SqlitePool,
        readers: SqlitePool,
    },
    Postgres(PgPool),
}

impl Db {
    /// Opens the database and runs the migrations that are new. A missing SQLite file is created, together with its
    /// directory, readable only by their owner.
    pub async fn open(url: &DatabaseUrl, migrations: &Migrations) -> Result<Self, MigrateError> {
        match url {
            DatabaseUrl::Sqlite(file) => Self::open_sqlite(file, migrations).await,
            DatabaseUrl::Postgres(options) => Self::open_postgres(options, migrations).await,
        }
    }

    async fn open_sqlite(file: &Path, migrations: &Migrations) -> Result<Self, MigrateError> {
        create_private_file(file).map_err(sqlx::Error::Io)?;
        let _lock = migrate::lock(file).await?;

        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            // A commit must survive a power loss once the client has its response.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(STATEMENT_TIMEOUT);
        let pool = SqlitePoolOptions::new()
            .acquire_timeout(STATEMENT_TIMEOUT)
            .idle_timeout(None)
            .max_lifetime(None)
            // SQLite connections don't drop, so there is nothing to ping.
            .test_before_acquire(false);

        // On a full disk or an interrupted statement SQLite itself rolls back. sqlx does not notice, and would never again
        // begin a transaction on that connection, so such a connection is replaced.
        let writer = pool
            .clone()
            .max_connections(1)
            .before_acquire(|conn, _| Box::pin(async move { Ok(!conn.is_in_transaction()) }))
            .connect_with(options.clone())
            .await?;
        migrations.sqlite.run(&writer).await?;

        let readers = pool
            .max_connections(SQLITE_READERS)
            .connect_with(options.read_only(true))
            .await?;
        Ok(Self(Pools::Sqlite { writer, readers }))
    }

    async fn open_postgres(
        options: &PgConnectOptions,
        migrations: &Migrations,
    ) -> Result<Self, MigrateError> {
        migrations.run_postgres(options).await?;

        // Below or at `STATEMENT_TIMEOUT`, so that the server's own error says which limit was reached.
        let options = options.clone().options([
            ("statement_timeout", "5s"),
            ("lock_timeout", "4s"),
            ("idle_in_transaction_session_timeout", "10s"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(POSTGRES_CONNECTIONS)
            .acquire_timeout(STATEMENT_TIMEOUT)
            .connect_with(options)
            .await?;
        Ok(Self(Pools::Postgres(pool)))
    }

    pub(crate) fn pools(&self) -> &Pools {
        &self.0
    }

    /// A connection for reads outside a transaction.
    pub async fn read(&self) -> Result<Conn, sqlx::Error> {
        Ok(Conn::new(match &self.0 {
            Pools::Sqlite { readers, .. } => Inner::Sqlite(acquire(readers).await?),
            Pools::Postgres(pool) => Inner::Postgres(pool.acquire().await?),
        }))
    }

    /// A connection for writes outside a transaction: for a change that is a single statement.
    pub async fn write(&self) -> Result<Conn, sqlx::Error> {
        Ok(Conn::new(match &self.0 {
            Pools::Sqlite { writer, .. } => Inner::Sqlite(acquire(writer).await?),
            Pools::Postgres(pool) => Inner::Postgres(pool.acquire().await?),
        }))
    }

    /// Begins a transaction that may write.
    ///
    /// On SQLite it takes the write lock at once, so that nothing it has read changes before it writes. On PostgreSQL it is
    /// `read committed`, so a statement that depends on earlier reads must check them again in its `where` clause.
    pub async fn begin(&self) -> Result<Tx, sqlx::Error> {
        bounded(async {
            Ok(Tx(Conn::new(match &self.0 {
                Pools::Sqlite { writer, .. } => {
                    let mut tx = writer.begin_with("begin immediate").await?;
                    set_statement_timeout(&mut tx).await?;
                    Inner::SqliteTx(tx)
                }
                Pools::Postgres(pool) => Inner::PostgresTx(pool.begin().await?),
            })))
        })
        .await
    }

    /// Runs `work` in a transaction and commits it. After a transient failure all of it runs [again](Db::retry), so `work`
    /// must not have effects outside the transaction.
    pub async fn transaction<T, E>(&self, work: impl AsyncFn(&mut Tx) -> Result<T, E>) -> Result<T, E>
    where
        E: From<sqlx::Error> + std::error::Error + 'static,
    {
        Db::retry(async || self.attempt(&work).await).await
    }

    /// Calls `work`, and up to three more times after a [transient](crate::is_transient) failure: a deadlock or a
    /// serialisation failure. There is no delay between the calls.
    pub async fn retry<T, E>(work: impl AsyncFn() -> Result<T, E>) -> Result<T, E>
    where
        E: std::error::Error + 'static,
    {
        for _ in 1..ATTEMPTS {
            match work().await {
                Err(error) if is_transient(&error) => tracing::debug!(%error, "retrying a transaction"),
                outcome => return outcome,
            }
        }
        work().await
    }

    async fn attempt<T, E>(&self, work: &impl AsyncFn(&mut Tx) -> Result<T, E>) -> Result<T, E>
    where
        E: From<sqlx::Error>,
    {
        let mut tx = self.begin().await?;
        let value = work(&mut tx).await?;
        tx.commit().await?;
        Ok(value)
    }

    /// Whether the database answers within a second.
    pub async fn is_reachable(self) -> bool {
        let query = async {
            let mut conn = self.read().await?;
            crate::on!(conn, conn => sqlx::query("select 1").execute(conn).await.map(|_| ()))
        };
        matches!(
            tokio::time::timeout(Duration::from_secs(1), query).await,
            Ok(Ok(()))
        )
    }

    /// Waits until all connections are returned, and closes them.
    pub async fn close(&self) {
        match &self.0 {
            Pools::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

async fn acquire(pool: &SqlitePool) -> Result<PoolConnection<Sqlite>, sqlx::Error> {
    bounded(async {
        let mut conn = pool.acquire().await?;
        set_statement_timeout(&mut conn).await?;
        Ok(conn)
    })
    .await
}

/// Makes SQLite interrupt statements that run too long from now on. [`bounded`] alone would only stop waiting, and the statement
/// would keep the connection busy. PostgreSQL has `statement_timeout` for this.
async fn set_statement_timeout(conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    /// Instructions of SQLite's virtual machine between two checks of the clock.
    const INSTRUCTIONS: i32 = 1_000;
    let started = Instant::now();
    conn.lock_handle()
        .await?
        .set_progress_handler(INSTRUCTIONS, move || started.elapsed() < STATEMENT_TIMEOUT);
    Ok(())
}

fn create_private_file(file: &Path) -> std::io::Result<()> {
    if let Some(directory) = file
        .parent()
        .filter(|directory| !directory.as_os_str().is_empty())
    {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(file)
        .map(drop)
}
