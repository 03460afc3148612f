//! Fetches a key set from a JWKS URL: at startup, on a timer, and when a token names an unknown key. A client that makes up
//! key ids can cause only a limited number of fetches.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use reqwest::Url;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{JwksError, KeySet, Keys};
use crate::backoff::Backoff;
use crate::bounded_body;

const MAX_DOCUMENT_BYTES: usize = 64 * 1024;
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
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

/// A key set that is published at a URL, and how often it is fetched.
#[derive(Debug)]
pub struct RemoteKeys {
    url: Url,
    algorithms: Vec<Algorithm>,
    client: reqwest::Client,
    refresh: Duration,
    unknown_key_pause: Duration,
    /// When the last fetch began. A fetch holds the lock, so that there is at most one at a time.
    last_fetch: Mutex<Option<Instant>>,
}

impl RemoteKeys {
    /// A key set at this URL. Its Ed25519 and P-256 keys are used (see [`algorithms`](Self::algorithms)).
    ///
    /// Redirects are not followed and proxies of the environment are ignored: either could choose other keys.
    ///
    /// # Errors
    /// If `url` is not an absolute `http` or `https` URL, or the TLS library can't start.
    pub fn at(url: &str) -> Result<Self, RemoteKeysError> {
        let url = Url::parse(url).map_err(|_| RemoteKeysError::Url)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(RemoteKeysError::Url);
        }
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(FETCH_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(0)
            .build()
            .map_err(RemoteKeysError::Client)?;
        Ok(Self {
            url,
            algorithms: vec![Algorithm::EdDSA, Algorithm::ES256],
            client,
            refresh: Duration::from_mins(5),
            unknown_key_pause: Duration::from_secs(10),
            last_fetch: Mutex::new(None),
        })
    }

    /// The algorithms whose keys are used; other keys are skipped. Defaults to `EdDSA` (Ed25519) and `ES256`. The header of a token
    /// never chooses an algorithm: each key is for one (RFC 8725 §3.1).
    #[must_use]
    pub fn algorithms(mut self, algorithms: &[Algorithm]) -> Self {
        self.algorithms = algorithms.to_vec();
        self
    }

    /// The interval of regular fetches. Defaults to 5 minutes.
    #[must_use]
    pub fn refresh(mut self, every: Duration) -> Self {
        self.refresh = every;
        self
    }

    /// The time after a fetch during which unknown keys cause no further fetch. Defaults to 10 seconds.
    #[must_use]
    pub fn unknown_key_pause(mut self, pause: Duration) -> Self {
        self.unknown_key_pause = pause;
        self
    }

    async fn fetch(&self) -> Result<KeySet, FetchError> {
        let response = self
            .client
            .get(self.url.clone())
            .send()
            .await?
            .error_for_status()?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let document = bounded_body::read(response, MAX_DOCUMENT_BYTES)
            .await?
            .ok_or(FetchError::TooLong)?;
        Ok(KeySet::from_jwks(&document, &self.algorithms)?)
    }
}

/// Why a key set can't be fetched from a URL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteKeysError {
    /// Not an absolute `http` or `https` URL.
    #[error("not an http or https URL")]
    Url,
    /// The HTTP client can't be created.
    #[error("the HTTP client can't be created")]
    Client(#[source] reqwest::Error),
}

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("{0}")]
    Http(#[from] reqwest::Error),
    #[error("status {0}")]
    Status(reqwest::StatusCode),
    #[error("more than {MAX_DOCUMENT_BYTES} bytes")]
    TooLong,
    #[error("{0}")]
    Set(#[from] JwksError),
}

/// Spawns the task that fetches the key set now and then regularly. It ends when the last clone of the keys is dropped.
pub(super) fn spawn_refresh(keys: &Keys) {
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

pub(super) async fn refetch(keys: &Keys, reason: Refetch) {
    let requested_at = Instant::now();
    let keys = keys.clone();
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
