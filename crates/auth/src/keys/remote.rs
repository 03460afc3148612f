//! A key set that is published at a JWKS URL.

use std::time::Duration;

use jsonwebtoken::Algorithm;
use reqwest::Url;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::jwk_set::JwksError;
use super::key_set::KeySet;
use crate::outgoing;

const MAX_DOCUMENT_BYTES: usize = 64 * 1024;
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Where a published key set is fetched from, and how often.
#[derive(Debug)]
pub struct RemoteKeys {
    pub(super) url: Url,
    algorithms: Vec<Algorithm>,
    client: reqwest::Client,
    pub(super) refresh: Duration,
    pub(super) unknown_key_cooldown: Duration,
    /// When the last fetch began. The lock is held during a fetch, so that there is at most one fetch at a time.
    pub(super) last_fetch: Mutex<Option<Instant>>,
}

impl RemoteKeys {
    /// A key set at this URL. Its Ed25519 and P-256 keys are used (see [`algorithms`](Self::algorithms)).
    ///
    /// Redirects are not followed, and proxies configured in the environment are ignored: both could replace the keys.
    ///
    /// # Errors
    /// If `url` is not an absolute `http` or `https` URL, or the TLS library can't start.
    pub fn at(url: &str) -> Result<Self, RemoteKeysError> {
        let url = outgoing::http_url(url).ok_or_else(|| RemoteKeysError::Url(url.to_owned()))?;
        let client = outgoing::client_builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(FETCH_TIMEOUT)
            .pool_max_idle_per_host(0)
            .build()
            .map_err(RemoteKeysError::Client)?;
        Ok(Self {
            url,
            algorithms: vec![Algorithm::EdDSA, Algorithm::ES256],
            client,
            refresh: Duration::from_mins(5),
            unknown_key_cooldown: Duration::from_secs(10),
            last_fetch: Mutex::new(None),
        })
    }

    /// The algorithms whose keys are used. Other keys are skipped. Defaults to `EdDSA` (Ed25519) and `ES256`. The header of a token
    /// never chooses the algorithm: each key is for one algorithm (RFC 8725 §3.1).
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

    /// The time after the start of a fetch during which unknown keys cause no further fetch. Defaults to 10 seconds.
    #[must_use]
    pub fn unknown_key_cooldown(mut self, cooldown: Duration) -> Self {
        self.unknown_key_cooldown = cooldown;
        self
    }

    pub(super) async fn fetch(&self) -> Result<KeySet, FetchError> {
        let response = self
            .client
            .get(self.url.clone())
            .send()
            .await?
            .error_for_status()?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let document = outgoing::read_body(response, MAX_DOCUMENT_BYTES)
            .await?
            .ok_or(FetchError::TooLong)?;
        Ok(KeySet::from_jwks(&document, &self.algorithms)?)
    }
}

/// Why [`RemoteKeys::at`] fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteKeysError {
    /// Not an absolute `http` or `https` URL.
    #[error("the URL {0:?} of the key set is not an http or https URL")]
    Url(String),
    /// The HTTP client can't be created.
    #[error("the HTTP client can't be created")]
    Client(#[source] reqwest::Error),
}

/// Why one fetch of the key set failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("{}", outgoing::innermost_cause(.0).unwrap_or_else(|| .0.to_string()))]
    Http(#[from] reqwest::Error),
    #[error("status {0}")]
    Status(reqwest::StatusCode),
    #[error("more than {MAX_DOCUMENT_BYTES} bytes")]
    TooLong,
    #[error("{0}")]
    Set(#[from] JwksError),
}
