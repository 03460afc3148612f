//! Deletes expired idempotency keys.

use std::time::Duration;

use auth::Clock;
use db::Db;

use crate::store::IdempotencyKeys;

const INTERVAL: Duration = Duration::from_secs(60);
/// How long to wait while there is a backlog. Pauses let other writers in: SQLite has one writer at a time.
const BACKLOG_INTERVAL: Duration = Duration::from_millis(250);
/// How many keys one transaction deletes, so that it stays short.
const BATCH_SIZE: u32 = 1_000;

/// The cleanup of idempotency keys.
#[derive(Clone, Debug)]
pub(crate) struct KeyCleanup {
    pub db: Db,
    pub clock: Clock,
}

impl KeyCleanup {
    /// Deletes expired keys at once and then every minute, for as long as the service runs.
    pub(crate) async fn run(self) {
        loop {
            let has_more = self.delete_batch().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "expired idempotency keys can't be deleted");
                false
            });
            let pause = if has_more { BACKLOG_INTERVAL } else { INTERVAL };
            tokio::time::sleep(pause).await;
        }
    }

    /// Deletes one batch, and returns whether there may be more.
    async fn delete_batch(&self) -> Result<bool, sqlx::Error> {
        let mut tx = self.db.begin().await?;
        let deleted = IdempotencyKeys(&mut tx)
            .delete_expired(self.clock.now(), BATCH_SIZE)
            .await?;
        tx.commit().await?;
        Ok(deleted >= u64::from(BATCH_SIZE))
    }
}
