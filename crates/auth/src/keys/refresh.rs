//! Keeps a remote key set up to date: fetches it at startup, on a timer, and when a token names an unknown key. A client that
//! makes up key ids can cause only a limited number of fetches.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::current::{Keys, SharedKeys};
use super::remote::RemoteKeys;
use crate::backoff::Backoff;

const FIRST_RETRY: Duration = Duration::from_millis(50);
/// A service without keys refuses all tokens, so it retries soon.
const BACKOFF_WITHOUT_KEYS: Backoff = Backoff::new(FIRST_RETRY, Duration::from_secs(2));
const BACKOFF_WITH_KEYS: Backoff = Backoff::new(FIRST_RETRY, Duration::from_secs(30));

/// Why the key set is fetched outside the timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refetch {
    /// A token names an unknown key. At most one fetch per [`RemoteKeys::unknown_key_pause`].
    UnknownKey,
    /// The publisher announced that its keys have changed. Always fetches.
    Announced,
}

impl Keys {
    /// A key set that is fetched from a JWKS URL and kept up to date: see [`RemoteKeys`]. Spawns a task, so call this inside a
    /// tokio runtime that lives as long as the keys.
    #[must_use]
    pub fn remote(remote: RemoteKeys) -> Self {
        let keys = Self {
            shared: Arc::new(SharedKeys::fetched_from(remote)),
        };
        spawn_refresh(&keys);
        keys
    }

    /// Fetches the key set again, and returns when the fetch has ended. A fixed key set returns at once.
    pub async fn refetch(&self, reason: Refetch) {
        if self.shared.remote.is_none() {
            return;
        }

        let requested_at = Instant::now();
        let keys = self.clone();
        // A separate task, so that the fetch continues if the caller disconnects.
        let fetch = tokio::spawn(async move {
            let Some(remote) = &keys.shared.remote else { return };
            let mut last_fetch = remote.last_fetch.lock().await;
            let is_served = last_fetch.is_some_and(|began| {
                // A fetch that began while this caller waited for the lock serves this caller too.
                began >= requested_at
                    || reason == Refetch::UnknownKey && began.elapsed() < remote.unknown_key_pause
            });
            if !is_served {
                fetch_into(&keys, remote, &mut last_fetch).await;
            }
        });
        if fetch.await.is_err() {
            tracing::error!("the fetch of the key set was aborted");
        }
    }
}

/// Spawns the task that fetches the key set at once and then on the timer. It ends when the last clone of the keys is dropped.
fn spawn_refresh(keys: &Keys) {
    let shared = Arc::downgrade(&keys.shared);
    tokio::spawn(async move {
        let mut failures = 0_u32;
        while let Some(keys) = shared.upgrade().map(|shared| Keys { shared }) {
            let Some(remote) = &keys.shared.remote else { return };
            let succeeded = {
                let mut last_fetch = remote.last_fetch.lock().await;
                fetch_into(&keys, remote, &mut last_fetch).await
            };

            let pause = if succeeded {
                failures = 0;
                remote.refresh
            } else {
                failures = failures.saturating_add(1);
                let backoff = if keys.is_loaded() {
                    BACKOFF_WITH_KEYS
                } else {
                    BACKOFF_WITHOUT_KEYS
                };
                backoff.delay(failures).min(remote.refresh)
            };
            // Sleep without the keys, so that they can be dropped meanwhile.
            drop(keys);
            tokio::time::sleep(pause).await;
        }
    });
}

/// Fetches the key set once. Returns whether that succeeded; if not, the current keys stay in use.
async fn fetch_into(keys: &Keys, remote: &RemoteKeys, last_fetch: &mut Option<Instant>) -> bool {
    *last_fetch = Some(Instant::now());
    match remote.fetch().await {
        Ok(set) => {
            keys.replace(set);
            true
        }
        Err(error) => {
            tracing::warn!(url = %remote.url, %error, "could not fetch the key set");
            false
        }
    }
}
