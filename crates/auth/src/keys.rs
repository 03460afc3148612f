//! Verification keys: a published key set (JWKS) that is refetched as its publisher rotates keys, a fixed key set, or one
//! shared secret.

mod jwk;
mod jwk_set;
mod remote;
mod secret;
mod small_order;

#[cfg(test)]
mod wycheproof;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use jsonwebtoken::{Algorithm, DecodingKey};

pub use self::jwk_set::JwksError;
pub use self::remote::{Refetch, RemoteKeys, RemoteKeysError};
pub use self::secret::{SharedSecret, WeakSecret};

/// A key and the only algorithm that it verifies (RFC 8725 §3.1).
#[derive(Clone)]
pub(crate) struct Key {
    pub algorithm: Algorithm,
    decoding: DecodingKey,
    /// The key's bytes, to detect whether a refetched key set differs from the current one.
    material: Vec<u8>,
}

impl Key {
    /// Whether `signature`, in base64url, is a valid signature of `signed`.
    pub fn verifies(&self, signed: &[u8], signature: &str) -> bool {
        jsonwebtoken::crypto::verify(signature, signed, &self.decoding, self.algorithm).unwrap_or(false)
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        (self.algorithm, &self.material) == (other.algorithm, &other.material)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// The verification keys of an issuer: public keys by their ids, or one shared secret.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeySet {
    by_id: HashMap<String, Key>,
    /// The shared secret. It verifies all tokens, with or without `kid`.
    shared_secret: Option<Key>,
}

impl KeySet {
    /// Reads a JWK Set (RFC 7517 §5). Private, symmetric, weak and ambiguous keys, and keys for algorithms other than
    /// `algorithms`, are skipped; each is logged.
    ///
    /// # Errors
    /// If the document is not a JWK Set, has more than 32 keys, or has no usable key.
    pub fn from_jwks(document: &[u8], algorithms: &[Algorithm]) -> Result<Self, JwksError> {
        Ok(Self {
            by_id: jwk_set::read(document, algorithms)?,
            shared_secret: None,
        })
    }

    pub(crate) fn find(&self, kid: Option<&str>) -> Option<&Key> {
        self.shared_secret.as_ref().or_else(|| self.by_id.get(kid?))
    }

    /// The ids of the keys.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.by_id.keys().map(String::as_str)
    }

    fn is_empty(&self) -> bool {
        self.by_id.is_empty() && self.shared_secret.is_none()
    }
}

impl From<SharedSecret> for KeySet {
    fn from(secret: SharedSecret) -> Self {
        Self {
            by_id: HashMap::new(),
            shared_secret: Some(secret.key()),
        }
    }
}

/// The current key set. It can be replaced while verifiers use it. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    current: RwLock<Arc<KeySet>>,
    generation: AtomicU64,
    remote: Option<RemoteKeys>,
}

impl Keys {
    /// A key set that changes only by [`replace`](Self::replace).
    #[must_use]
    pub fn fixed(set: KeySet) -> Self {
        let keys = Self::default();
        keys.replace(set);
        keys
    }

    /// A key set that is fetched from a JWKS URL, now and repeatedly: see [`RemoteKeys`]. It spawns a task, so call it inside a
    /// tokio runtime that lives as long as the keys.
    #[must_use]
    pub fn remote(remote: RemoteKeys) -> Self {
        let keys = Self {
            shared: Arc::new(Shared {
                remote: Some(remote),
                ..Shared::default()
            }),
        };
        remote::spawn_refresh(&keys);
        keys
    }

    /// Replaces the current key set. If it differs, cached tokens are verified again with the new one.
    pub fn replace(&self, set: KeySet) {
        let mut current = self
            .shared
            .current
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if **current != set {
            *current = Arc::new(set);
            // Under the write lock, so that no reader pairs a set with the generation of another.
            self.shared.generation.fetch_add(1, Ordering::Release);
        }
    }

    /// Whether there is a key to verify with.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        !self.current().1.is_empty()
    }

    /// The ids of the current keys.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.current().1.ids().map(str::to_owned).collect()
    }

    /// The number of times that the key set has changed.
    pub(crate) fn generation(&self) -> u64 {
        self.shared.generation.load(Ordering::Acquire)
    }

    pub(crate) fn current(&self) -> (u64, Arc<KeySet>) {
        let current = self.shared.current.read().unwrap_or_else(PoisonError::into_inner);
        (self.generation(), Arc::clone(&current))
    }

    /// Fetches the key set again, and returns when the fetch has ended. A fixed key set returns at once.
    pub async fn refetch(&self, reason: Refetch) {
        if self.shared.remote.is_some() {
            remote::refetch(self, reason).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Issuer;

    fn set_of(issuer: &Issuer, kid: &str) -> KeySet {
        let mut jwks = issuer.jwks();
        jwks["keys"][0]["kid"] = kid.into();
        KeySet::from_jwks(jwks.to_string().as_bytes(), &[Algorithm::EdDSA]).unwrap()
    }

    #[test]
    fn only_a_different_key_set_starts_a_new_generation() {
        let (issuer, other) = (Issuer::new("a"), Issuer::new("a"));
        let keys = Keys::fixed(set_of(&issuer, "1"));
        let generation = || keys.current().0;

        let first = generation();
        keys.replace(set_of(&issuer, "1"));
        assert_eq!(generation(), first);

        let mut seen = vec![first];
        for different in [set_of(&other, "1"), set_of(&other, "2"), KeySet::default()] {
            keys.replace(different);
            assert!(!seen.contains(&generation()));
            seen.push(generation());
        }
    }

    #[test]
    fn debug_shows_a_keys_algorithm_and_not_its_bytes() {
        let secret = SharedSecret::new("a long sentence that is in no list".into()).unwrap();

        let debug = format!("{:?}", KeySet::from(secret));
        assert!(debug.contains("Key { algorithm: HS256, .. }"), "{debug}");
        assert!(!debug.contains("97"), "{debug}");
    }
}
