//! A verification key.

use std::fmt;

use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};

/// A key, and the only algorithm for which the key is used (RFC 8725 §3.1).
#[derive(Clone)]
pub(crate) struct Key {
    pub algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
    /// The key's bytes, by which a refetched key set is compared with the current key set.
    pub(super) material: Vec<u8>,
}

impl Key {
    /// Whether the key is a shared secret, and not a public key.
    pub fn is_secret(&self) -> bool {
        AlgorithmFamily::Hmac.algorithms().contains(&self.algorithm)
    }

    /// Whether `signature`, in base64url, is a valid signature of `message`.
    pub fn verifies(&self, message: &[u8], signature: &str) -> bool {
        jsonwebtoken::crypto::verify(signature, message, &self.decoding, self.algorithm).unwrap_or(false)
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
