//! Notifications between the processes that use one PostgreSQL database: `listen` and `notify`. They only say that something has
//! happened, and may be lost, so a listener also has to poll. SQLite has none.

use std::time::Duration;

use sqlx::postgres::{PgListener, PgPool, PgPoolOptions};
use tokio::task::AbortHandle;

use crate::conn::{Conn, Engine, STATEMENT_TIMEOUT, bounded};
use crate::pool::{Db, Pools};

/// The delay before a listener connects again.
const RECONNECT_DELAY: Duration = Duration::from_secs(1);

/// A task that listens for notifications. It ends when this value is dropped.
#[derive(Debug)]
#[must_use]
pub struct Listener(Option<AbortHandle>);

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

impl Db {
    /// Calls `notified` for each notification on this channel, until the listener is dropped. Also calls it each time the listener
    /// has connected, because notifications may have been lost before. On SQLite it is never called. Call it inside a tokio runtime.
    ///
    /// The listener has its own connection, which is not one of the pool, and replaces it when it breaks.
    pub fn listen(&self, channel: &'static str, notified: impl Fn() + Send + Sync + 'static) -> Listener {
        let Pools::Postgres(pool) = self.pools() else {
            return Listener(None);
        };
        let own = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(STATEMENT_TIMEOUT)
            .max_lifetime(None)
            .idle_timeout(None)
            .connect_lazy_with(pool.connect_options().as_ref().clone());
        // A task, because sqlx's listener may be dropped only inside the runtime.
        let task = tokio::spawn(async move {
            let mut is_outage_logged = false;
            loop {
                let ended = match connect(&own, channel).await {
                    Ok(listener) => {
                        if std::mem::take(&mut is_outage_logged) {
                            tracing::info!(channel, "notifications arrive again");
                        }
                        receive(listener, &notified).await
                    }
                    Err(error) => Err(error),
                };
                if let Err(error) = ended
                    && !std::mem::replace(&mut is_outage_logged, true)
                {
                    tracing::warn!(%error, channel, "the listener lost its connection; connecting again");
                }
                tokio::time::sleep(RECONNECT_DELAY).await;
            }
        });
        Listener(Some(task.abort_handle()))
    }
}

async fn connect(pool: &PgPool, channel: &str) -> Result<PgListener, sqlx::Error> {
    let mut listener = bounded(PgListener::connect_with(pool)).await?;
    listener.eager_reconnect(false);
    bounded(listener.listen(channel)).await?;
    Ok(listener)
}

/// Receives notifications until the connection breaks.
async fn receive(mut listener: PgListener, notified: &(impl Fn() + Sync)) -> Result<(), sqlx::Error> {
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
