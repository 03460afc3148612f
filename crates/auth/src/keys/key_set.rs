//! A set of verification keys.

use std::collections::HashMap;

use jsonwebtoken::Algorithm;

use super::jwk_set::{self, JwksError, UsableKeys};
use super::key::Key;
use super::pem::{self, PemError};
use super::secret::SharedSecret;

/// The verification keys of an issuer: public keys by their ids, or one key without id.
///
/// A key set never changes. [`Keys`](crate::Keys) replaces a key set as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeySet {
    by_id: HashMap<String, Key>,
    /// A key without id. It is the only key, and verifies all tokens, with or without `kid`.
    sole: Option<Key>,
}

impl KeySet {
    /// Reads a JWK Set (RFC 7517 §5). Skips and logs private, symmetric and weak keys, keys with a duplicate `kid`, and keys for
    /// algorithms other than `algorithms`. A key without `kid` is used only if it is the only usable key. Then it verifies all
    /// tokens.
    ///
    /// # Errors
    /// If the document is not a JWK Set, has more than 32 keys, or has no usable key.
    pub fn from_jwks(document: &[u8], algorithms: &[Algorithm]) -> Result<Self, JwksError> {
        jwk_set::read(document, algorithms, jwk_set::log_skipped).map(Self::from)
    }

    /// Reads a JWK Set without logging which keys are skipped.
    #[cfg(feature = "jwks")]
    pub(super) fn from_known_jwks(document: &[u8], algorithms: &[Algorithm]) -> Result<Self, JwksError> {
        jwk_set::read(document, algorithms, |_, _| {}).map(Self::from)
    }

    /// Reads one public key from PEM (`PUBLIC KEY`, RFC 7468 §13, or `RSA PUBLIC KEY`). It verifies all tokens that are signed with
    /// this algorithm, with any `kid` or none.
    ///
    /// # Errors
    /// If the text has no public key for this algorithm, or a weak one.
    pub fn from_pem(pem: &str, algorithm: Algorithm) -> Result<Self, PemError> {
        pem::read(pem, algorithm).map(Self::of_one)
    }

    fn of_one(key: Key) -> Self {
        Self {
            by_id: HashMap::new(),
            sole: Some(key),
        }
    }

    /// The key that must verify a token with this `kid`.
    pub(crate) fn find(&self, kid: Option<&str>) -> Option<&Key> {
        self.sole.as_ref().or_else(|| self.by_id.get(kid?))
    }

    /// Whether the only key has no id, so that a token can't name another one.
    pub(crate) fn has_sole_key(&self) -> bool {
        self.sole.is_some()
    }

    /// The ids of the keys that have one.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.by_id.keys().map(String::as_str)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty() && self.sole.is_none()
    }
}

impl From<SharedSecret> for KeySet {
    fn from(secret: SharedSecret) -> Self {
        Self::of_one(secret.key())
    }
}

impl From<UsableKeys> for KeySet {
    fn from(UsableKeys { by_id, sole }: UsableKeys) -> Self {
        Self { by_id, sole }
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
