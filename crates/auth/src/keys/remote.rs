//! Following a JWKS URL: fetched at start, refreshed on a timer, and fetched out of turn for a key that is not known yet,
//! with a bound on how often a stranger's made-up `kid` can cause that.

use std::time::Duration;

use jsonwebtoken::Algorithm;
use reqwest::Url;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{JwksError, KeySet, Keys};
use crate::bounded;

const MAX_DOCUMENT_BYTES: usize = 64 * 1024;
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Why the set is fetched out of turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refetch {
    /// A token names a key that is not known: at most one fetch in [`RemoteKeys::unknown_key_pause`].
    UnknownKey,
    /// The publisher says that its keys changed: at once.
    Announced,
}

/// Where a published key set is, and how it is followed.
#[derive(Debug)]
pub struct RemoteKeys {
    url: Url,
    algorithms: Vec<Algorithm>,
    client: reqwest::Client,
    refresh: Duration,
    unknown_key_pause: Duration,
    /// When the last fetch began. Whoever fetches holds the lock, so that there is one fetch in flight.
    last_fetch: Mutex<Option<Instant>>,
}

impl RemoteKeys {
    /// A set at this URL, whose Ed25519 keys are taken (see [`algorithms`](Self::algorithms)).
    ///
    /// # Errors
    /// When `url` is no `http` or `https` URL, or the TLS library can't be started.
    pub fn at(url: &str) -> Result<Self, RemoteKeysError> {
        let url = Url::parse(url).map_err(|_| RemoteKeysError::Url)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(RemoteKeysError::Url);
        }
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(FETCH_TIMEOUT)
            // The URL is what the operator trusts, not where it may point to next.
            .redirect(reqwest::redirect::Policy::none())
            // Nor whatever proxy the environment names: over plain http it would choose the keys.
            .no_proxy()
            .pool_max_idle_per_host(0)
            .build()
            .map_err(RemoteKeysError::Client)?;
        Ok(Self {
            url,
            algorithms: vec![Algorithm::EdDSA],
            client,
            refresh: Duration::from_mins(5),
            unknown_key_pause: Duration::from_secs(10),
            last_fetch: Mutex::new(None),
        })
    }

    /// Takes keys for these algorithms instead. A token's own word for it is never asked.
    #[must_use]
    pub fn algorithms(mut self, algorithms: &[Algorithm]) -> Self {
        self.algorithms = algorithms.to_vec();
        self
    }

    /// How often the set is fetched without any cause. 5 minutes, unless said otherwise.
    #[must_use]
    pub fn refresh(mut self, every: Duration) -> Self {
        self.refresh = every;
        self
    }

    /// How long unknown keys cause no further fetch after one. 10 seconds, unless said otherwise.
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
        let document = bounded::body(response, MAX_DOCUMENT_BYTES)
            .await?
            .ok_or(FetchError::TooLong)?;
        Ok(KeySet::from_jwks(&document, &self.algorithms)?)
    }
}

/// Why a JWKS URL can't be followed.
#[derive(Debug, thiserror::Error)]
pub enum RemoteKeysError {
    /// Not an absolute `http` or `https` URL.
    #[error("not an http or https URL")]
    Url,
    /// The HTTP client could not be made.
    #[error("no HTTP client")]
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

/// Starts the task that keeps the set fresh for as long as anyone holds the keys.
pub(super) fn follow(keys: &Keys) {
    let shared = std::sync::Arc::downgrade(&keys.shared);
    tokio::spawn(async move {
        let mut failures = 0_u32;
        while let Some(keys) = shared.upgrade().map(|shared| Keys { shared }) {
            let Some(remote) = &keys.shared.remote else { return };
            let succeeded = {
                let mut last_fetch = remote.last_fetch.lock().await;
                fetch_into(&keys, remote, &mut last_fetch).await
            };
            failures = if succeeded { 0 } else { failures.saturating_add(1) };
            let pause = if succeeded {
                remote.refresh
            } else {
                backoff(failures, keys.is_loaded()).min(remote.refresh)
            };
            drop(keys);
            tokio::time::sleep(pause).await;
        }
    });
}

/// A service without keys is of no use, so it asks soon; one that has some can wait.
fn backoff(failures: u32, has_keys: bool) -> Duration {
    let longest = if has_keys {
        Duration::from_secs(30)
    } else {
        Duration::from_secs(2)
    };
    Duration::from_millis(25)
        .saturating_mul(2_u32.saturating_pow(failures.min(16)))
        .min(longest)
}

pub(super) async fn refetch(keys: &Keys, why: Refetch) {
    let asked_at = Instant::now();
    let keys = keys.clone();
    // A task of its own, so that a caller who hangs up doesn't take the fetch along with them.
    let fetch = tokio::spawn(async move {
        let Some(remote) = &keys.shared.remote else { return };
        let mut last_fetch = remote.last_fetch.lock().await;
        let answered = last_fetch.is_some_and(|began| {
            // A fetch that somebody else began while this caller waited for the lock serves this caller too, however long it
            // took.
            began >= asked_at || why == Refetch::UnknownKey && began.elapsed() < remote.unknown_key_pause
        });
        if !answered {
            fetch_into(&keys, remote, &mut last_fetch).await;
        }
    });
    if fetch.await.is_err() {
        tracing::error!("the fetch of the key set was cut off");
    }
}

async fn fetch_into(keys: &Keys, remote: &RemoteKeys, last_fetch: &mut Option<Instant>) -> bool {
    *last_fetch = Some(Instant::now());
    match remote.fetch().await {
        Ok(set) => {
            keys.replace(set);
            true
        }
        Err(error) => {
            // Held keys stay good: a publisher that is down stops nobody.
            tracing::warn!(url = %remote.url, %error, "key set could not be fetched");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publisher_that_fails_is_asked_less_and_less_often_but_never_given_up() {
        let millis = |failures, has_keys| backoff(failures, has_keys).as_millis();
        assert_eq!(
            [1, 2, 3, 6].map(|failures| millis(failures, false)),
            [50, 100, 200, 1_600]
        );
        assert_eq!(
            [7, 8, 1_000, u32::MAX].map(|failures| millis(failures, false)),
            [2_000; 4]
        );
        assert_eq!(
            [1, 7, 11, u32::MAX].map(|failures| millis(failures, true)),
            [50, 3_200, 30_000, 30_000]
        );
    }
}
