//! Notifications between the processes that use one PostgreSQL database: `listen` and `notify`. They only say that something has
//! happened, and may be lost, so a listener also has to poll. SQLite has none.

use std::future::pending;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPool, PgPoolOptions};

use crate::conn::{Conn, Engine, STATEMENT_TIMEOUT, bounded};
use crate::pool::{Db, Pools};

/// The delay before a listener connects again.
const RECONNECT_DELAY: Duration = Duration::from_secs(1);

impl Db {
    /// Calls `notified` for each notification on this channel, until the future is dropped. Also calls it each time the listener
    /// has connected, because notifications may have been lost before. On SQLite it is never called.
    ///
    /// The listener has a connection of its own, which is not one of the pool, and replaces it when it breaks.
    pub async fn listen(&self, channel: &str, notified: impl Fn()) {
        let Pools::Postgres(pool) = self.pools() else {
            return pending().await;
        };
        let own = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(STATEMENT_TIMEOUT)
            .max_lifetime(None)
            .idle_timeout(None)
            .connect_lazy_with(pool.connect_options().as_ref().clone());
        loop {
            if let Err(error) = receive(&own, channel, &notified).await {
                tracing::warn!(%error, channel, "the listener lost its connection; connecting again");
            }
            tokio::time::sleep(RECONNECT_DELAY).await;
        }
    }
}

/// Receives notifications until the connection breaks.
async fn receive(pool: &PgPool, channel: &str, notified: impl Fn()) -> Result<(), sqlx::Error> {
    let mut listener = bounded(PgListener::connect_with(pool)).await?;
    listener.eager_reconnect(false);
    bounded(listener.listen(channel)).await?;
    loop {
        notified();
        if listener.try_recv().await?.is_none() {
            return Ok(());
        }
    }
}

impl Conn {
    /// Notifies the listeners of this channel when the transaction commits. Does nothing on SQLite.
    pub async fn notify(&mut self, channel: &str) -> Result<(), sqlx::Error> {
        const SQL: &str = "select pg_notify($1, '')";
        match self.engine() {
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres(conn) => {
                bounded(async { sqlx::query(SQL).bind(channel).execute(conn).await.map(drop) }).await
            }
        }
    }
}
