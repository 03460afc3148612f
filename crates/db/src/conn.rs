//! Connections and transactions of either engine, and the macro that runs one statement on both.

use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres, Sqlite, SqliteConnection, Transaction};
use tokio::runtime::Handle;

/// The longest time that a statement may take. It is measured in this process, because a server that hangs does not enforce
/// its own limits.
pub(crate) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that runs statements. The tables of a service are structs around `&mut Conn`, so the same code runs inside and
/// outside a transaction.
pub struct Conn {
    /// `None` only while it is committed or dropped.
    inner: Option<Inner>,
    /// The actions that run after the commit, in this order.
    after_commit: Vec<AfterCommit>,
    /// Where sqlx closes the connection or returns it to its pool.
    runtime: Handle,
}

type AfterCommit = Box<dyn FnOnce() + Send>;

#[derive(Debug)]
pub(crate) enum Inner {
    Sqlite(PoolConnection<Sqlite>),
    SqliteTx(Transaction<'static, Sqlite>),
    Postgres(PoolConnection<Postgres>),
    PostgresTx(Transaction<'static, Postgres>),
}

/// The connection of one engine. [`on!`](crate::on) matches on it.
#[derive(Debug)]
pub enum Engine<'c> {
    /// SQLite.
    Sqlite(&'c mut SqliteConnection),
    /// PostgreSQL.
    Postgres(&'c mut PgConnection),
}

impl Conn {
    /// Call it inside a tokio runtime.
    pub(crate) fn new(inner: Inner) -> Self {
        Self {
            inner: Some(inner),
            after_commit: Vec::new(),
            runtime: Handle::current(),
        }
    }

    /// Runs `action` once the transaction is committed, and never if it is not. Outside a transaction it runs at once. Something
    /// that happened is logged that way, since a transaction may be rolled back or [run again](crate::Db::transaction).
    pub fn after_commit(&mut self, action: impl FnOnce() + Send + 'static) {
        match self.inner {
            Some(Inner::SqliteTx(_) | Inner::PostgresTx(_)) => self.after_commit.push(Box::new(action)),
            Some(Inner::Sqlite(_) | Inner::Postgres(_)) | None => action(),
        }
    }

    /// The underlying connection of the engine.
    pub fn engine(&mut self) -> Engine<'_> {
        match &mut self.inner {
            Some(Inner::Sqlite(conn)) => Engine::Sqlite(conn),
            Some(Inner::SqliteTx(tx)) => Engine::Sqlite(tx),
            Some(Inner::Postgres(conn)) => Engine::Postgres(conn),
            Some(Inner::PostgresTx(tx)) => Engine::Postgres(tx),
            None => unreachable!("a committed transaction is consumed"),
        }
    }
}

impl Drop for Conn {
    /// sqlx returns a connection to its pool in a task, and panics outside a runtime. A runtime that ends drops its tasks outside.
    fn drop(&mut self) {
        let _inside = self.runtime.enter();
        drop(self.inner.take());
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Conn").field(&self.inner).finish()
    }
}

/// A transaction. It is rolled back if it is dropped without [`commit`](Self::commit).
#[derive(Debug)]
pub struct Tx(pub(crate) Conn);

impl Tx {
    /// Commits the transaction. On SQLite the data is on the disk when this returns. Then runs what was registered with
    /// [`Conn::after_commit`].
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        let mut conn = self.0;
        let inner = conn.inner.take();
        bounded(async {
            match inner {
                Some(Inner::SqliteTx(tx)) => tx.commit().await,
                Some(Inner::PostgresTx(tx)) => tx.commit().await,
                // `Db::begin` creates only the two kinds above.
                Some(Inner::Sqlite(_) | Inner::Postgres(_)) | None => Ok(()),
            }
        })
        .await?;
        for action in std::mem::take(&mut conn.after_commit) {
            action();
        }
        Ok(())
    }
}

impl Deref for Tx {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        &self.0
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.0
    }
}

/// Cancels a statement after 5 seconds.
///
/// # Errors
/// `PoolTimedOut` after the timeout, so a database that hangs counts as [unavailable](crate::is_unavailable).
pub async fn bounded<T>(statement: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(STATEMENT_TIMEOUT, statement)
        .await
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Runs one statement on the connection's engine: `on!(self.0, conn => sqlx::query(SQL).execute(conn).await)`. The body is
/// expanded for both engines. Its value is a `Result<_, sqlx::Error>`, and it may use `?`.
#[macro_export]
macro_rules! on {
    ($target:expr, $conn:ident => $body:expr) => {
        match $target.engine() {
            $crate::Engine::Sqlite($conn) => $crate::bounded(async { $body }).await,
            $crate::Engine::Postgres($conn) => $crate::bounded(async { $body }).await,
        }
    };
}
