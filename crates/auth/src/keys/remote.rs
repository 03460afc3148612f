//! A key set that an issuer publishes.

use std::sync::PoisonError;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use reqwest::{StatusCode, Url};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::issuer_metadata::IssuerMetadata;
use super::jwk_set::JwksError;
use super::key_set::KeySet;
use crate::outgoing;

const MAX_DOCUMENT_BYTES: usize = 64 * 1024;
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Where a published key set is fetched from, and how often.
#[derive(Debug)]
pub struct RemoteKeys {
    source: Source,
    algorithms: Vec<Algorithm>,
    client: reqwest::Client,
    pub(super) refresh: Duration,
    pub(super) unknown_key_cooldown: Duration,
    /// When the last fetch began. The lock is held during a fetch, so that there is at most one fetch at a time.
    pub(super) last_fetch: Mutex<Option<Instant>>,
    /// The document whose skipped keys were logged.
    logged_document: std::sync::Mutex<Vec<u8>>,
}

/// Where the key set is.
#[derive(Debug)]
enum Source {
    /// At this URL.
    KeySet(Url),
    /// Where the metadata of an issuer says.
    Metadata(IssuerMetadata),
}

impl RemoteKeys {
    /// A key set at this URL (JWKS, RFC 7517 §5).
    ///
    /// # Errors
    /// If `url` is not an absolute `http` or `https` URL, or the TLS library can't start.
    pub fn at(url: &str) -> Result<Self, RemoteKeysError> {
        let url = outgoing::http_url(url).ok_or_else(|| RemoteKeysError::Url(url.to_owned()))?;
        Self::from_source(Source::KeySet(url))
    }

    /// The key set of this issuer, at the URL that its metadata names: `/.well-known/openid-configuration` (OpenID Connect Discovery
    /// §4), or else `/.well-known/oauth-authorization-server` (RFC 8414 §3). The metadata is read again at each fetch. It must name
    /// exactly this issuer. If the issuer is an `https` URL, the key set's must be one, too.
    ///
    /// # Errors
    /// If `issuer` is not an absolute `http` or `https` URL without query and fragment, or the TLS library can't start.
    pub fn discover(issuer: &str) -> Result<Self, RemoteKeysError> {
        let metadata = IssuerMetadata::of(issuer).ok_or_else(|| RemoteKeysError::Url(issuer.to_owned()))?;
        Self::from_source(Source::Metadata(metadata))
    }

    fn from_source(source: Source) -> Result<Self, RemoteKeysError> {
        let client = outgoing::client_builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(0)
            .build()
            .map_err(RemoteKeysError::Client)?;
        Ok(Self {
            source,
            algorithms: vec![Algorithm::EdDSA, Algorithm::ES256, Algorithm::RS256],
            client,
            refresh: Duration::from_mins(5),
            unknown_key_cooldown: Duration::from_secs(10),
            last_fetch: Mutex::new(None),
            logged_document: std::sync::Mutex::default(),
        })
    }

    /// Fetches with this client, for example one with a private certificate authority or a proxy. By default, redirects are not
    /// followed and proxies configured in the environment are ignored, because both could replace the keys: a client that allows them
    /// trusts them. A fetch ends after 5 seconds, also if the client's own timeouts are longer.
    #[must_use]
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.client = client;
        self
    }

    /// The algorithms whose keys are used. Other keys are skipped. Defaults to `EdDSA` (Ed25519), `ES256` and `RS256`. The header of a token
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

    /// The URL that names the source in the log.
    pub(super) fn url(&self) -> &str {
        match &self.source {
            Source::KeySet(url) => url.as_str(),
            Source::Metadata(metadata) => metadata.issuer(),
        }
    }

    pub(super) async fn fetch(&self) -> Result<KeySet, FetchError> {
        tokio::time::timeout(FETCH_TIMEOUT, self.fetch_unbounded())
            .await
            .map_err(|_| FetchError::Timeout)?
    }

    async fn fetch_unbounded(&self) -> Result<KeySet, FetchError> {
        let url = match &self.source {
            Source::KeySet(url) => url.clone(),
            Source::Metadata(metadata) => metadata.key_set_url(&self.client).await?,
        };
        let document = fetch_document(&self.client, url).await?;
        self.read(document)
    }

    /// Reads a key set. Logs skipped keys once for each document, not at each fetch.
    fn read(&self, document: Vec<u8>) -> Result<KeySet, FetchError> {
        let mut logged = self
            .logged_document
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if *logged == document {
            return Ok(KeySet::from_known_jwks(&document, &self.algorithms)?);
        }
        let set = KeySet::from_jwks(&document, &self.algorithms);
        *logged = document;
        Ok(set?)
    }
}

/// Fetches a document with status 200 and at most 64 KiB.
pub(super) async fn fetch_document(client: &reqwest::Client, url: Url) -> Result<Vec<u8>, FetchError> {
    let response = client.get(url).send().await?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status()));
    }
    let document = outgoing::read_body(response, MAX_DOCUMENT_BYTES).await?;
    document.ok_or(FetchError::TooLong)
}

/// Why [`RemoteKeys::at`] or [`RemoteKeys::discover`] fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteKeysError {
    /// Not an absolute `http` or `https` URL, or an issuer with a query or a fragment.
    #[error("the URL {0:?} of the key set or its issuer is not an http or https URL")]
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
    Status(StatusCode),
    #[error("no response within {} s", FETCH_TIMEOUT.as_secs())]
    Timeout,
    #[error("the metadata is not that of this issuer (it must name the same `issuer`)")]
    OtherIssuer,
    #[error("the metadata has no usable `jwks_uri`")]
    NoKeySet,
    #[error("more than {MAX_DOCUMENT_BYTES} bytes")]
    TooLong,
    #[error("{0}")]
    Set(#[from] JwksError),
}
