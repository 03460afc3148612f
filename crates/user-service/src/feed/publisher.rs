//! The background task that reads new rows, applies them to this process and publishes them to the streams.

use auth::{FeedPosition, Revocation};
use db::{Conn, Tx};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::history::contains;
use super::{CHANNEL, Feed, PAGE};
use crate::store::{FeedRow, GenerationRows, RevocationRows};

impl Feed {
    /// The background task. It reads new rows when this process commits some, when another replica says that there are some, and
    /// every 250 ms.
    pub(crate) async fn run(self) {
        let feed = self.clone();
        let _listener = self.0.db.listen(CHANNEL, move || feed.0.wake.notify_one());
        self.poll_repeatedly().await;
    }

    async fn poll_repeatedly(&self) {
        let intervals = self.0.intervals;
        let mut next_head = Instant::now();
        loop {
            let mut wait = intervals.poll;
            match self.poll().await {
                Ok(()) => {
                    let now = Instant::now();
                    // Only after a successful read: readers take silence for an outage.
                    if now >= next_head {
                        self.state().publish_head();
                        next_head = now + intervals.head;
                    }
                    wait = wait.min(next_head - now);
                }
                Err(error) => {
                    if self.state().interrupt() {
                        tracing::warn!(%error, "the revocations can't be read");
                    }
                }
            }
            drop(timeout(wait, self.0.wake.notified()).await);
        }
    }

    /// Reads and publishes the rows that are new since the last call.
    ///
    /// Loads all rows if the database has lost rows that were already read, as after a restored backup or a failover to a standby
    /// that lagged behind. After an outage too: the database may have been restored meanwhile, and its counter may have passed
    /// the numbers that were read.
    pub(super) async fn poll(&self) -> Result<(), sqlx::Error> {
        let Some((position, lowest_counter)) = self.state().read_from() else {
            return self.load().await;
        };
        let mut conn = self.0.db.read().await?;
        let generation = GenerationRows(&mut conn).find(position.generation).await?;
        let generation = generation
            .filter(|generation| generation.counter >= lowest_counter && contains(generation, position.seq));
        let Some(generation) = generation else {
            tracing::warn!(
                seq = position.seq,
                "the database has lost revocations that were already read, as after a restored backup: all are read again"
            );
            drop(conn);
            return self.load().await;
        };
        if generation.newest != position.generation {
            self.state().continue_in(generation.newest);
        }
        if generation.counter > position.seq {
            self.publish_rows(&mut conn, position.seq, generation.counter)
                .await?;
        }
        Ok(())
    }

    async fn publish_rows(&self, conn: &mut Conn, mut after: i64, counter: i64) -> Result<(), sqlx::Error> {
        loop {
            let rows = RevocationRows(conn).page(after, counter, PAGE).await?;
            let is_last = is_last(&rows);
            for (seq, row) in rows {
                if let Some(revocation) = row.clone().into_revocation() {
                    self.apply(revocation);
                }
                self.state().publish(seq, row);
                after = seq;
            }
            if is_last {
                self.state().advance(counter);
                return Ok(());
            }
        }
    }

    /// Starts a generation, and replaces this process's revocations with those of the database. Called before the first request
    /// is accepted, so that no revoked token is accepted.
    pub(crate) async fn load(&self) -> Result<(), sqlx::Error> {
        self.state().begin_load();
        let position = self.start_generation().await?;
        let mut revocations = self.stored_revocations(position.seq).await?;

        // Locked until the set is complete, so that a commit is either in it or applied to it.
        let mut state = self.state();
        revocations.extend(state.end_load(position));
        self.0.revocations.replace_all(revocations);
        drop(state);
        Ok(())
    }

    /// Starts a generation, and returns its position before its first row.
    async fn start_generation(&self) -> Result<FeedPosition, sqlx::Error> {
        let (generation, now) = (Uuid::new_v4(), self.0.clock.now());
        let start = async |tx: &mut Tx| {
            let counter = RevocationRows(tx).lock().await?;
            GenerationRows(tx).start(generation, counter + 1, now).await?;
            Ok::<_, sqlx::Error>(counter)
        };
        let seq = self.0.db.transaction(start).await?;
        Ok(FeedPosition { generation, seq })
    }

    async fn stored_revocations(&self, up_to: i64) -> Result<Vec<Revocation>, sqlx::Error> {
        let mut conn = self.0.db.read().await?;
        let (mut revocations, mut after) = (Vec::new(), 0);
        loop {
            let rows = RevocationRows(&mut conn).page(after, up_to, PAGE).await?;
            let is_last = is_last(&rows);
            for (seq, row) in rows {
                revocations.extend(row.into_revocation());
                after = seq;
            }
            if is_last {
                return Ok(revocations);
            }
        }
    }
}

/// Whether there are no rows after those of this page.
pub(super) fn is_last(page: &[(i64, FeedRow)]) -> bool {
    i64::try_from(page.len()).is_ok_and(|len| len < PAGE)
}
