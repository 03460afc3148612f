//! A set of verification keys.

use std::collections::HashMap;

use jsonwebtoken::Algorithm;

use super::jwk_set::{self, JwksError};
use super::key::Key;
use super::secret::SharedSecret;

/// The verification keys of an issuer: public keys by their ids, or one shared secret.
///
/// A key set never changes. [`Keys`](crate::Keys) replaces a key set as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeySet {
    by_id: HashMap<String, Key>,
    /// The shared secret. It verifies all tokens, with or without `kid`.
    shared_secret: Option<Key>,
}

impl KeySet {
    /// Reads a JWK Set (RFC 7517 §5). Skips and logs private, symmetric and weak keys, keys with a duplicate `kid`, and keys for
    /// algorithms other than `algorithms`.
    ///
    /// # Errors
    /// If the document is not a JWK Set, has more than 32 keys, or has no usable key.
    pub fn from_jwks(document: &[u8], algorithms: &[Algorithm]) -> Result<Self, JwksError> {
        Ok(Self {
            by_id: jwk_set::read(document, algorithms)?,
            shared_secret: None,
        })
    }

    /// The key that must verify a token with this `kid`.
    pub(crate) fn find(&self, kid: Option<&str>) -> Option<&Key> {
        self.shared_secret.as_ref().or_else(|| self.by_id.get(kid?))
    }

    /// The ids of the keys. A shared secret has no id.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.by_id.keys().map(String::as_str)
    }

    pub(crate) fn is_empty(&self) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_a_keys_algorithm_and_not_its_bytes() {
        let secret = SharedSecret::new("a long sentence that is in no list".into()).unwrap();

        let debug = format!("{:?}", KeySet::from(secret));
        assert!(debug.contains("Key { algorithm: HS256, .. }"), "{debug}");
        assert!(!debug.contains("97"), "{debug}");
    }
}
