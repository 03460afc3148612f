//! The current key set, which can be replaced while verifiers use it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::key_set::KeySet;
#[cfg(feature = "jwks")]
use super::remote::RemoteKeys;
use super::secret::SharedSecret;

/// Holds the current [`KeySet`]. The set can be replaced while verifiers use it. Clones share the set.
///
/// [`new`](Self::new) starts with a key set; [`remote`](Self::remote) fetches the key set from a URL.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    pub(super) shared: Arc<KeysState>,
}

/// The data that all clones of [`Keys`] share.
#[derive(Debug, Default)]
pub(super) struct KeysState {
    current: RwLock<Arc<KeySet>>,
    /// How often the current key set was replaced by a different one.
    generation: AtomicU64,
    /// Where the key set is fetched from. `None` if it is not fetched.
    #[cfg(feature = "jwks")]
    pub remote: Option<RemoteKeys>,
}

/// The reason to fetch the key set at once, without waiting for the timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefetchReason {
    /// A token names an unknown key. There is no fetch if the last one began within
    /// `RemoteKeys::unknown_key_cooldown`.
    UnknownKey,
    /// The publisher announced that its keys have changed. The cooldown does not apply.
    Announced,
}

/// A key set and its generation, read together.
pub(crate) struct CurrentKeys {
    pub set: Arc<KeySet>,
    pub generation: u64,
}

#[cfg(feature = "jwks")]
impl KeysState {
    /// An empty key set, until the first fetch succeeds.
    pub fn fetched_from(remote: RemoteKeys) -> Self {
        Self {
            remote: Some(remote),
            ..Self::default()
        }
    }
}

impl Keys {
    /// Starts with this key set. Nothing is fetched: only [`replace`](Self::replace) puts another set in its place.
    #[must_use]
    pub fn new(set: KeySet) -> Self {
        let keys = Self::default();
        keys.replace(set);
        keys
    }

    /// Replaces the current key set. If the new set differs, a verifier checks the signatures of cached tokens again.
    pub fn replace(&self, set: KeySet) {
        let mut current = self
            .shared
            .current
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if **current != set {
            *current = Arc::new(set);
            // Still under the write lock, so that no reader gets a set with the generation of another set.
            self.shared.generation.fetch_add(1, Ordering::Release);
        }
    }

    /// Whether there is a key to verify with.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        !self.current().set.is_empty()
    }

    /// The ids of the current keys.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.current().set.ids().map(str::to_owned).collect()
    }

    /// How often the current key set was replaced by a different one.
    pub(crate) fn generation(&self) -> u64 {
        self.shared.generation.load(Ordering::Acquire)
    }

    /// The current key set and its generation, read under one lock.
    pub(crate) fn current(&self) -> CurrentKeys {
        let current = self.shared.current.read().unwrap_or_else(PoisonError::into_inner);
        CurrentKeys {
            set: Arc::clone(&current),
            generation: self.generation(),
        }
    }
}

impl From<KeySet> for Keys {
    fn from(set: KeySet) -> Self {
        Self::new(set)
    }
}

impl From<SharedSecret> for Keys {
    fn from(secret: SharedSecret) -> Self {
        Self::new(secret.into())
    }
}

#[cfg(not(feature = "jwks"))]
impl Keys {
    /// Does nothing: without the feature `jwks`, no key set is fetched.
    #[expect(clippy::unused_async, reason = "like the function that fetches")]
    pub async fn refetch(&self, _: RefetchReason) {}
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::Algorithm;

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
        let keys = Keys::new(set_of(&issuer, "1"));
        let generation = || keys.current().generation;

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
}
