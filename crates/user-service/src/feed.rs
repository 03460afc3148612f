//! The revocation feed, which publishes revocations to all verifiers. It owns the sequence numbers and generations of the rows in
//! the table `revocations`, the task that reads new rows, and the streams of readers. It does not decide what is revoked:
//! `sessions` does.
//!
//! - `publisher` reads new rows, applies them to this process and publishes them to the streams.
//! - `state` is shared by the publisher, the streams and the transactions of one process.
//! - `subscription` is the stream of one reader: first rows from the database, then events as they happen.
//! - `relay` sends the same to NATS, whose stream is in `jetstream`.
//! - `history` decides whether a reader can resume; `encoding` makes events of rows.

mod encoding;
mod history;
mod jetstream;
mod publisher;
mod relay;
mod state;
mod subscription;
#[cfg(test)]
mod testing;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use auth::{Clock, Revocation, Revocations};
use db::{Conn, Db};
use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

pub(crate) use self::relay::Relay;
use self::state::State;
use crate::store::{FeedRow, GenerationRows, RevocationRows};
use crate::tokens::{KeyError, SigningKeys};

/// The channel of PostgreSQL on which replicas notify each other of new rows.
const CHANNEL: &str = "revocations";
/// How many events a stream may lag behind before it reads them from the database.
const BUFFERED_EVENTS: usize = 1_024;
/// How many streams may read the database at the same time, so that readers that all come back at once leave connections for
/// other requests.
const CONCURRENT_READS: usize = 2;
/// How many rows are read at once.
const PAGE: i64 = 1_000;

/// How often the publisher acts without being woken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Intervals {
    /// Between two reads of new rows.
    pub poll: Duration,
    /// Between two events that only say that the feed works.
    pub head: Duration,
}

impl Default for Intervals {
    fn default() -> Self {
        Self {
            poll: Duration::from_millis(250),
            head: Duration::from_secs(1),
        }
    }
}

/// The revocation feed. Clones share it.
#[derive(Clone)]
pub(crate) struct Feed(Arc<Shared>);

struct Shared {
    db: Db,
    /// The revocation set of this service's own verifier.
    revocations: Revocations,
    clock: Clock,
    intervals: Intervals,
    /// Wakes the publisher: there may be new rows.
    wake: Notify,
    reads: Semaphore,
    /// The published keys, which this process loads again when they change.
    keys: OnceLock<SigningKeys>,
    state: Mutex<State>,
}

impl Feed {
    pub(crate) fn new(db: Db, revocations: Revocations, clock: Clock) -> Self {
        Self::with(db, revocations, clock, Intervals::default(), BUFFERED_EVENTS)
    }

    fn with(
        db: Db,
        revocations: Revocations,
        clock: Clock,
        intervals: Intervals,
        buffered_events: usize,
    ) -> Self {
        Self(Arc::new(Shared {
            db,
            revocations,
            clock,
            intervals,
            wake: Notify::new(),
            reads: Semaphore::new(CONCURRENT_READS),
            keys: OnceLock::new(),
            state: Mutex::new(State::new(buffered_events)),
        }))
    }

    /// Loads these keys again when a row says that they have changed.
    pub(crate) fn with_keys(self, keys: SigningKeys) -> Self {
        drop(self.0.keys.set(keys));
        self
    }

    /// Loads the published keys again. Verifiers fetch them as soon as a change is announced, so this process must have the new ones
    /// before.
    async fn reload_keys(&self, conn: &mut Conn) -> Result<(), sqlx::Error> {
        let Some(keys) = self.0.keys.get() else {
            return Ok(());
        };
        // Boxed, because it is rare and would enlarge the future of the publisher.
        match Box::pin(keys.reload_with(conn, self.0.clock.now())).await {
            Ok(()) => Ok(()),
            Err(KeyError::Database(error)) => Err(error),
            Err(error) => {
                tracing::error!(%error, "the signing keys can't be loaded; the known ones stay in use");
                Ok(())
            }
        }
    }

    /// Stores rows in a transaction and returns the last sequence number, or `None` without rows. Should be the last statements,
    /// because the rows lock the counter for all replicas until the commit.
    pub(crate) async fn store(&self, tx: &mut Conn, rows: &[FeedRow]) -> Result<Option<i64>, sqlx::Error> {
        if rows.is_empty() {
            return Ok(None);
        }
        tx.notify(CHANNEL).await?;
        let generation = self.state().generation();
        let is_known = match generation {
            Some(generation) => GenerationRows(tx).find(generation).await?.is_some(),
            None => false,
        };
        let last = RevocationRows(tx).add(rows).await?;
        let first = last - i64::try_from(rows.len()).unwrap_or(i64::MAX) + 1;
        // The database may have been restored since this process last read it. The counter is locked, so each number that this
        // process knows was committed before: a number that is not greater is assigned a second time.
        if !is_known || self.state().must_start_generation(first) {
            GenerationRows(tx)
                .start(Uuid::new_v4(), first, self.0.clock.now())
                .await?;
        }
        Ok(Some(last))
    }

    /// Applies committed rows to this process, and wakes the publisher.
    pub(crate) fn committed(&self, rows: Vec<FeedRow>, last: Option<i64>) {
        let Some(last) = last else { return };
        let revocations: Vec<_> = rows.into_iter().filter_map(FeedRow::into_revocation).collect();
        let mut state = self.state();
        for revocation in &revocations {
            self.0.revocations.apply(revocation.clone());
        }
        state.committed(revocations, last);
        drop(state);
        self.0.wake.notify_one();
    }

    fn apply(&self, revocation: Revocation) {
        self.0.revocations.apply(revocation);
    }

    // A poisoned lock is safe to use: no method can panic with the state half-written.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").finish_non_exhaustive()
    }
}
