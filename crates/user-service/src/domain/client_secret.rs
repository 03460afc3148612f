//! Client secrets, of which only hashes are kept.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::domain::digest::sha256;

/// SHA-256 of a client secret. A password needs argon2id because an attacker can guess it. A client secret should be generated
/// (`openssl rand -hex 32`), and can't be guessed then; its length is checked at startup. With argon2id, every service token
/// would cost as much as a login.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SecretHash([u8; 32]);

impl SecretHash {
    /// A hash that no known secret has. The secret of an unknown client is compared with this hash, so that the comparison takes
    /// the same time as for a known client.
    pub(crate) const UNKNOWN_CLIENT: Self = Self([0; 32]);

    pub(crate) fn of(secret: &str) -> Self {
        Self(sha256(secret.as_bytes()))
    }

    /// Reads a stored hash. Returns `None` if the hash does not have 32 bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is the hash of `secret`. The time does not depend on the position of a difference.
    pub(crate) fn matches(&self, secret: &str) -> bool {
        verify_slices_are_equal(&self.0, &Self::of(secret).0).is_ok()
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_matches_one_secret_and_is_not_printed() {
        let hash = SecretHash::of("one");
        assert!(hash.matches("one"));
        for other in ["", "One", "one "] {
            assert!(!hash.matches(other), "{other:?}");
        }
        assert!(!SecretHash::UNKNOWN_CLIENT.matches(""));
        assert_eq!(SecretHash::from_bytes(hash.as_bytes()), Some(hash));
        assert_eq!(SecretHash::from_bytes(b"short"), None);
        assert_eq!(format!("{hash:?}"), "SecretHash([redacted])");
    }
}
