//! The pools, and how each engine wants to be used.

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

use crate::conn::{Conn, Inner, PATIENCE, Tx, bounded};
use crate::error::is_transient;
use crate::migrate::{self, Migrations};
use crate::url::DatabaseUrl;

const SQLITE_READERS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 10;
const ATTEMPTS: u32 = 4;

/// A service's database. Clones share the pools.
#[derive(Clone, Debug)]
pub struct Db(Pools);

#[derive(Clone, Debug)]
enum Pools {
    /// SQLite lets one connection write at a time, so there is one; readers see the last commit and never wait for it.
    Sqlite {
        writer: SqlitePool,
        readers: SqlitePool,
    },
    Postgres(PgPool),
}

impl Db {
    /// Opens the database and brings its schema up to date. A SQLite file is made where there is none, in a directory that
    /// only its owner may enter.
    pub async fn open(url: &DatabaseUrl, migrations: &Migrations) -> Result<Self, MigrateError> {
        match url {
            DatabaseUrl::Sqlite(file) => Self::open_sqlite(file, migrations).await,
            DatabaseUrl::Postgres(options) => Self::open_postgres(options, migrations).await,
        }
    }

    async fn open_sqlite(file: &Path, migrations: &Migrations) -> Result<Self, MigrateError> {
        make_private_file(file).map_err(sqlx::Error::Io)?;
        let _turn = migrate::lock(file).await?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            // Power loss must not undo an answer.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(PATIENCE);
        let pool = SqlitePoolOptions::new()
            .acquire_timeout(PATIENCE)
            .idle_timeout(None)
            .max_lifetime(None)
            // A file does not hang up.
            .test_before_acquire(false);
        // Where the disk is full or a statement takes too long, SQLite rolls back by itself, and sqlx does not learn of it: it
        // would refuse to begin on that connection for ever.
        let writer = pool
            .clone()
            .max_connections(1)
            .before_acquire(|conn, _| Box::pin(async move { Ok(!conn.is_in_transaction()) }));
        let writer = writer.connect_with(options.clone()).await?;
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
        let options = options.clone().options([
            ("statement_timeout", "5s"),
            ("lock_timeout", "4s"),
            ("idle_in_transaction_session_timeout", "10s"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(POSTGRES_CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .connect_with(options)
            .await?;
        Ok(Self(Pools::Postgres(pool)))
    }

    /// A connection for reading, each statement by itself.
    pub async fn read(&self) -> Result<Conn, sqlx::Error> {
        Ok(Conn(match &self.0 {
            Pools::Sqlite { readers, .. } => Inner::Sqlite(acquire(readers).await?),
            Pools::Postgres(pool) => Inner::Postgres(pool.acquire().await?),
        }))
    }

    /// A connection for writing, each statement by itself: what one statement decides needs no transaction around it.
    pub async fn write(&self) -> Result<Conn, sqlx::Error> {
        Ok(Conn(match &self.0 {
            Pools::Sqlite { writer, .. } => Inner::Sqlite(acquire(writer).await?),
            Pools::Postgres(pool) => Inner::Postgres(pool.acquire().await?),
        }))
    }

    /// Begins a transaction that may write. On SQLite it holds the one lock for writing from the start, so that what it read
    /// is still so when it writes; on PostgreSQL it is `read committed`, and guards stand in the statements.
    pub async fn begin(&self) -> Result<Tx, sqlx::Error> {
        bounded(async {
            Ok(Tx(Conn(match &self.0 {
                Pools::Sqlite { writer, .. } => {
                    let mut tx = writer.begin_with("begin immediate").await?;
                    end_in_time(&mut tx).await?;
                    Inner::SqliteTx(tx)
                }
                Pools::Postgres(pool) => Inner::PostgresTx(pool.begin().await?),
            })))
        })
        .await
    }

    /// Runs a transaction, [again](Db::retry) where the database asks for that. So `work` may do nothing that can't be done
    /// twice.
    pub async fn transaction<T, E>(&self, work: impl AsyncFn(&mut Tx) -> Result<T, E>) -> Result<T, E>
    where
        E: From<sqlx::Error> + std::error::Error + 'static,
    {
        Db::retry(async || self.attempt(&work).await).await
    }

    /// Does something, and does it again, up to three times, where the database asks for that (a deadlock, a serialisation
    /// failure).
    pub async fn retry<T, E>(work: impl AsyncFn() -> Result<T, E>) -> Result<T, E>
    where
        E: std::error::Error + 'static,
    {
        for _ in 1..ATTEMPTS {
            match work().await {
                Err(error) if is_transient(&error) => tracing::debug!(%error, "tried again"),
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

    /// Whether the database answers, within a second.
    pub async fn is_reachable(self) -> bool {
        let ask = async {
            let mut conn = self.read().await?;
            crate::on!(conn, conn => sqlx::query("select 1").execute(conn).await.map(|_| ()))
        };
        matches!(
            tokio::time::timeout(Duration::from_secs(1), ask).await,
            Ok(Ok(()))
        )
    }

    /// Closes the pools, once what is under way has ended.
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
        end_in_time(&mut conn).await?;
        Ok(conn)
    })
    .await
}

/// Has SQLite itself give up on what runs for too long from now on. Whoever waits for a statement gives up on it in any case, but
/// that would leave the connection busy with it, where PostgreSQL has a limit of its own.
async fn end_in_time(conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    /// Instructions of SQLite's machine between two looks at the time.
    const INSTRUCTIONS: i32 = 1_000;
    let begun = Instant::now();
    conn.lock_handle()
        .await?
        .set_progress_handler(INSTRUCTIONS, move || begun.elapsed() < PATIENCE);
    Ok(())
}

fn make_private_file(file: &Path) -> std::io::Result<()> {
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
