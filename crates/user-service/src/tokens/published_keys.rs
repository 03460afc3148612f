//! The public keys as verifiers get them.

use auth::{JwksError, KeySet};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::signing::{jwk, jws_algorithm};
use crate::domain::{SigningAlgorithm, SigningKey, StoredKeys};

/// The public keys.
#[derive(Clone, Debug, Default)]
pub(super) struct PublishedKeys(Vec<PublishedKey>);

#[derive(Clone, Debug)]
struct PublishedKey {
    kid: String,
    jwk: Value,
    /// The time at which the key is no longer published, if that time is known.
    not_after: Option<DateTime<Utc>>,
}

impl PublishedKeys {
    pub fn of(keys: &StoredKeys) -> Self {
        let publish = |key: &SigningKey| PublishedKey {
            kid: key.kid.clone(),
            jwk: jwk(key.algorithm, &key.kid, &key.public_key),
            not_after: key.not_after,
        };
        Self(keys.0.iter().map(publish).collect())
    }

    /// The key set that verifies signatures of the keys published at this time.
    pub fn key_set(&self, now: DateTime<Utc>) -> Result<KeySet, JwksError> {
        let algorithms = [SigningAlgorithm::EdDsa, SigningAlgorithm::Es256].map(jws_algorithm);
        KeySet::from_jwks(self.jwks(now).to_string().as_bytes(), &algorithms)
    }

    /// The JWK Set at this time (RFC 7517 §5).
    pub fn jwks(&self, now: DateTime<Utc>) -> Value {
        let is_published = |key: &&PublishedKey| key.not_after.is_none_or(|end| now < end);
        let keys: Vec<_> = self.0.iter().filter(is_published).map(|key| &key.jwk).collect();
        json!({"keys": keys})
    }

    /// The ids of all keys.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|key| key.kid.as_str())
    }
}
