//! Rotating the signing keys: on schedule, by hand and in an emergency. It owns the requests for rotations, and knows which verifiers
//! hold the next key. It does not sign: `tokens` does.
//!
//! - `rotate` changes the keys in one transaction, of which exactly one replica's succeeds.
//! - `verifiers` keeps the table of verifiers current.

mod rotate;
mod verifiers;

use std::sync::Arc;
use std::time::Duration;

use auth::Clock;
use db::Db;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

pub(crate) use self::verifiers::OpenStream;
use self::verifiers::OpenStreams;
use crate::context::RequestContext;
use crate::sessions::Sessions;
use crate::store::SigningKeyRows;
use crate::tokens::{KeyError, SigningKeys};

/// How often the keys are loaded, and the verifiers recorded, even if nothing happens.
const INTERVAL: Duration = Duration::from_secs(60);

/// Rotates the signing keys. Clones share the open streams.
#[derive(Clone, Debug)]
pub(crate) struct KeyRotation {
    db: Db,
    sessions: Sessions,
    clock: Clock,
    /// This process verifies tokens, too, so a rotation also waits until it has the next key.
    instance: Uuid,
    streams: OpenStreams,
    /// Wakes the background task: a verifier reported its keys.
    reported: Arc<Notify>,
}

impl KeyRotation {
    pub(crate) fn new(db: Db, sessions: Sessions, clock: Clock) -> Self {
        Self {
            db,
            sessions,
            clock,
            instance: Uuid::new_v4(),
            streams: OpenStreams::default(),
            reported: Arc::default(),
        }
    }

    fn keys(&self) -> &SigningKeys {
        &self.sessions.token_issuer.keys
    }

    /// The background task. It loads the keys each minute, records the verifiers, requests a rotation when the active key is old, and
    /// completes a requested rotation. With a shared secret there is nothing to do.
    pub(crate) async fn run(self) {
        if self.keys().is_shared_secret() {
            return std::future::pending().await;
        }
        let mut next_check = Instant::now();
        loop {
            if next_check <= Instant::now() {
                self.refresh_keys().await;
                next_check = Instant::now() + INTERVAL;
                self.record_verifiers().await;
            }
            if let Err(error) = self.advance().await {
                tracing::warn!(%error, "the signing keys can't be rotated");
            }
            tokio::select! {
                () = sleep_until(next_check) => {}
                () = self.reported.notified() => {}
                // Others may wait until this process has the new keys.
                () = self.keys().changed() => self.record_verifiers().await,
            }
        }
    }

    async fn refresh_keys(&self) {
        if let Err(error) = self.keys().reload(self.clock.now()).await {
            tracing::warn!(%error, "the signing keys can't be loaded; the known ones stay in use");
        }
        // Also while the database is unavailable.
        if let Err(error) = self.keys().remove_expired(self.clock.now()).await {
            tracing::error!(%error, "expired signing keys can't be removed from the verifier");
        }
    }

    /// Requests a rotation if it is due, and completes a requested one if it need not wait.
    async fn advance(&self) -> Result<(), KeyError> {
        let now = self.clock.now();
        let keys = SigningKeyRows(&mut self.db.read().await?).all().await?;
        if keys.request().is_none() && !keys.is_rotation_due(now) {
            return Ok(());
        }
        let context = RequestContext::internal(self.clock.clone());
        self.rotate_if_due(&context).await
    }
}
