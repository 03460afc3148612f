//! A connection, in or out of a transaction, of either engine; and the macro that writes one body for both.

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres, Sqlite, SqliteConnection, Transaction};

/// How long a statement may take as seen from here, whatever the server makes of its own limits.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// A connection that statements run on. The tables of a service are structs around `&mut Conn`, so that the same code serves
/// inside a transaction and outside of one.
#[derive(Debug)]
pub struct Conn(pub(crate) Inner);

#[derive(Debug)]
pub(crate) enum Inner {
    Sqlite(PoolConnection<Sqlite>),
    SqliteTx(Transaction<'static, Sqlite>),
    Postgres(PoolConnection<Postgres>),
    PostgresTx(Transaction<'static, Postgres>),
}

/// Which engine a connection is of. [`on!`](crate::on) matches on it.
#[derive(Debug)]
pub enum Engine<'c> {
    /// SQLite.
    Sqlite(&'c mut SqliteConnection),
    /// PostgreSQL.
    Postgres(&'c mut PgConnection),
}

impl Conn {
    /// The engine's own connection.
    pub fn engine(&mut self) -> Engine<'_> {
        match &mut self.0 {
            Inner::Sqlite(conn) => Engine::Sqlite(conn),
            Inner::SqliteTx(tx) => Engine::Sqlite(tx),
            Inner::Postgres(conn) => Engine::Postgres(conn),
            Inner::PostgresTx(tx) => Engine::Postgres(tx),
        }
    }
}

/// A transaction. Dropped without [`commit`](Self::commit), it is rolled back.
#[derive(Debug)]
pub struct Tx(pub(crate) Conn);

impl Tx {
    /// Makes what was written last. On SQLite it is on the disk when this returns.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        bounded(async {
            match self.0.0 {
                Inner::SqliteTx(tx) => tx.commit().await,
                Inner::PostgresTx(tx) => tx.commit().await,
                // `Db::begin` makes no others.
                Inner::Sqlite(_) | Inner::Postgres(_) => Ok(()),
            }
        })
        .await
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

/// Gives up on a statement after 5 seconds, with the error of a pool that has nothing to give, so that a database that hangs
/// answers as one that is away.
pub async fn bounded<T>(statement: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(PATIENCE, statement)
        .await
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Expands one body for both engines: `on!(self.0, conn => sqlx::query(SQL).execute(conn).await)`. The body's value is a
/// `Result<_, sqlx::Error>`, `?` in it included.
#[macro_export]
macro_rules! on {
    ($target:expr, $conn:ident => $body:expr) => {
        match $target.engine() {
            $crate::Engine::Sqlite($conn) => $crate::bounded(async { $body }).await,
            $crate::Engine::Postgres($conn) => $crate::bounded(async { $body }).await,
        }
    };
}
