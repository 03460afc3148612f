//! Keeps a remote key set up to date: fetches the set at startup, on a timer, when a token names an unknown key, and when the
//! publisher announces a change. A client that invents key ids can cause only a limited number of fetches.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::current::{Keys, KeysState, RefetchReason};
use super::remote::{FetchError, RemoteKeys};
use crate::backoff::Backoff;
use crate::outgoing::SILENT_AT_START;

const FIRST_RETRY: Duration = Duration::from_millis(50);
/// A service without keys refuses all tokens, so a failed fetch is retried soon.
const BACKOFF_WITHOUT_KEYS: Backoff = Backoff::new(FIRST_RETRY, Duration::from_secs(2));
const BACKOFF_WITH_KEYS: Backoff = Backoff::new(FIRST_RETRY, Duration::from_secs(30));

impl Keys {
    /// A key set that is fetched from a JWKS URL and kept up to date: see [`RemoteKeys`]. Spawns a task that fetches the set, so
    /// call this inside a tokio runtime that runs until the keys are dropped.
    #[must_use]
    pub fn remote(remote: RemoteKeys) -> Self {
        let keys = Self {
            shared: Arc::new(KeysState::fetched_from(remote)),
        };
        spawn_refresh(&keys);
        keys
    }

    /// Fetches the key set again, and returns when the fetch has ended. Returns at once if the key set is not fetched from a URL,
    /// or if `reason` requires no fetch now.
    pub async fn refetch(&self, reason: RefetchReason) {
        if self.shared.remote.is_none() {
            return;
        }

        let requested_at = Instant::now();
        let keys = self.clone();
        // A separate task, so that the fetch continues if the caller disconnects.
        let fetch = tokio::spawn(async move {
            let Some(remote) = &keys.shared.remote else { return };
            let mut last_fetch = remote.last_fetch.lock().await;
            let is_fresh_enough = last_fetch.is_some_and(|began| {
                // A fetch that began while this call waited for the lock is as good as another fetch.
                began >= requested_at
                    || reason == RefetchReason::UnknownKey && began.elapsed() < remote.unknown_key_cooldown
            });
            if !is_fresh_enough && let Err(error) = fetch_into(&keys, remote, &mut last_fetch).await {
                warn(remote, &error);
            }
        });
        if fetch.await.is_err() {
            tracing::error!("the fetch of the key set was aborted");
        }
    }
}

/// Spawns the task that fetches the key set at once and then on a timer. The task ends when the last clone of the keys is dropped.
fn spawn_refresh(keys: &Keys) {
    let shared = Arc::downgrade(&keys.shared);
    let started = Instant::now();
    tokio::spawn(async move {
        let mut failures = 0_u32;
        while let Some(keys) = shared.upgrade().map(|shared| Keys { shared }) {
            let Some(remote) = &keys.shared.remote else { return };
            let fetched = {
                let mut last_fetch = remote.last_fetch.lock().await;
                fetch_into(&keys, remote, &mut last_fetch).await
            };

            let pause = match fetched {
                Ok(()) => {
                    failures = 0;
                    remote.refresh
                }
                Err(error) => {
                    if keys.is_loaded() || started.elapsed() >= SILENT_AT_START {
                        warn(remote, &error);
                    }
                    failures = failures.saturating_add(1);
                    let backoff = if keys.is_loaded() {
                        BACKOFF_WITH_KEYS
                    } else {
                        BACKOFF_WITHOUT_KEYS
                    };
                    backoff.delay(failures).min(remote.refresh)
                }
            };
            // Don't hold the keys while sleeping, so that the last clone can be dropped.
            drop(keys);
            tokio::time::sleep(pause).await;
        }
    });
}

/// Fetches the key set once. If that fails, the current keys stay in use.
async fn fetch_into(
    keys: &Keys,
    remote: &RemoteKeys,
    last_fetch: &mut Option<Instant>,
) -> Result<(), FetchError> {
    *last_fetch = Some(Instant::now());
    keys.replace(remote.fetch().await?);
    Ok(())
}

fn warn(remote: &RemoteKeys, error: &FetchError) {
    tracing::warn!(url = remote.url(), %error, "could not fetch the key set");
}
