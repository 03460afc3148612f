//! The keys that signatures are checked with: a published set (JWKS) that follows its publisher's rotations, a fixed set, or
//! one shared secret.

mod jwk;
mod remote;
mod secret;

#[cfg(test)]
mod wycheproof;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use jsonwebtoken::{Algorithm, DecodingKey};

pub use self::jwk::JwksError;
pub use self::remote::{Refetch, RemoteKeys, RemoteKeysError};
pub use self::secret::{SharedSecret, WeakSecret};

/// One key and the one algorithm that it is for (RFC 8725 §3.1).
#[derive(Clone)]
pub(crate) struct Key {
    pub algorithm: Algorithm,
    decoding: DecodingKey,
    /// What the key is made of, to tell a changed set from one that was merely fetched again.
    material: Vec<u8>,
}

impl Key {
    /// Whether `signature`, as it stands in the token, is this key's over `signed`.
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

/// Verification keys, none of them private.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeySet {
    by_id: HashMap<String, Key>,
    /// The key for tokens that name none: the shared secret, and nothing else.
    unnamed: Option<Key>,
}

impl KeySet {
    /// Reads a JWK Set (RFC 7517 §5). Private, symmetric, weak and ambiguous keys, and keys for other algorithms than
    /// `algorithms`, are left out, each with a line in the log.
    ///
    /// # Errors
    /// When it is not a JWK Set, has more than 32 keys, or no key is left.
    pub fn from_jwks(document: &[u8], algorithms: &[Algorithm]) -> Result<Self, JwksError> {
        Ok(Self {
            by_id: jwk::read_set(document, algorithms)?,
            unnamed: None,
        })
    }

    pub(crate) fn find(&self, kid: Option<&str>) -> Option<&Key> {
        self.unnamed.as_ref().or_else(|| self.by_id.get(kid?))
    }

    /// The ids of the keys.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.by_id.keys().map(String::as_str)
    }

    fn is_empty(&self) -> bool {
        self.by_id.is_empty() && self.unnamed.is_none()
    }
}

impl From<SharedSecret> for KeySet {
    fn from(secret: SharedSecret) -> Self {
        Self {
            by_id: HashMap::new(),
            unnamed: Some(secret.key()),
        }
    }
}

/// The current key set, which may be replaced while verifiers use it. Clones share it.
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
    /// Keys that are replaced by hand, if ever.
    #[must_use]
    pub fn fixed(set: KeySet) -> Self {
        let keys = Self::default();
        keys.replace(set);
        keys
    }

    /// Keys that are fetched from a JWKS URL, and followed: see [`RemoteKeys`]. Call it inside a tokio runtime that lives as
    /// long as the program.
    #[must_use]
    pub fn remote(remote: RemoteKeys) -> Self {
        let keys = Self {
            shared: Arc::new(Shared {
                remote: Some(remote),
                ..Shared::default()
            }),
        };
        remote::follow(&keys);
        keys
    }

    /// Puts another set in place of the current one. Tokens that were verified with a key that is gone are verified anew.
    pub fn replace(&self, set: KeySet) {
        let mut current = self
            .shared
            .current
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if **current != set {
            *current = Arc::new(set);
            // Under the write lock, so that no reader sees the new set with the old generation or the reverse.
            self.shared.generation.fetch_add(1, Ordering::Release);
        }
    }

    /// Whether there is any key to verify with.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        !self.current().1.is_empty()
    }

    /// The ids of the keys that are held now.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.current().1.ids().map(str::to_owned).collect()
    }

    /// Counts the changes of the set.
    pub(crate) fn generation(&self) -> u64 {
        self.shared.generation.load(Ordering::Acquire)
    }

    pub(crate) fn current(&self) -> (u64, Arc<KeySet>) {
        let current = self.shared.current.read().unwrap_or_else(PoisonError::into_inner);
        (self.generation(), Arc::clone(&current))
    }

    /// Asks the publisher again, because a token named a key that is not here, or because it announced a change. Comes back
    /// when the answer is in; without a publisher, at once.
    pub async fn refetch(&self, why: Refetch) {
        if self.shared.remote.is_some() {
            remote::refetch(self, why).await;
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
    fn a_set_that_was_fetched_again_is_the_same_and_another_key_of_the_same_name_is_not() {
        let (ours, theirs) = (Issuer::new("a"), Issuer::new("a"));
        let keys = Keys::fixed(set_of(&ours, "1"));
        let generation = || keys.current().0;
        let first = generation();
        keys.replace(set_of(&ours, "1"));
        assert_eq!(generation(), first);

        let mut seen = vec![first];
        for other in [set_of(&theirs, "1"), set_of(&theirs, "2"), KeySet::default()] {
            keys.replace(other);
            assert!(!seen.contains(&generation()));
            seen.push(generation());
        }
    }

    #[test]
    fn a_key_in_a_log_is_its_algorithm_and_nothing_it_is_made_of() {
        let secret = SharedSecret::new("a long sentence which nobody keeps".into()).unwrap();
        let shown = format!("{:?}", KeySet::from(secret));
        assert!(shown.contains("Key { algorithm: HS256, .. }"), "{shown}");
    }
}
