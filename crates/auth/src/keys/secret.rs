//! `JWT_SECRET`: one secret that signs and verifies, the tutorials' way. Whoever can verify can sign, so it is for one team
//! that trusts all of its services; anything longer-lived wants a published key set.

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey};
use secrecy::{ExposeSecret, SecretString};

use super::Key;

/// A secret for HS256, long enough and not copied from a tutorial.
#[derive(Clone)]
pub struct SharedSecret(SecretString);

/// Why a secret is not good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakSecret {
    /// RFC 7518 §3.2: a key of the same size as the hash output or larger.
    #[error("must have at least 32 bytes; `openssl rand -base64 48` makes a good one")]
    TooShort,
    /// A placeholder, or a few characters over and over.
    #[error("looks like a placeholder; `openssl rand -base64 48` makes a good one")]
    Placeholder,
}

impl SharedSecret {
    /// The least length, in bytes (RFC 7518 §3.2).
    pub const MIN_BYTES: usize = 32;

    /// Takes the secret as it stands: its UTF-8 bytes are the key.
    ///
    /// # Errors
    /// When it is shorter than 32 bytes, has fewer than 10 different characters, or contains a word that examples use.
    pub fn new(secret: SecretString) -> Result<Self, WeakSecret> {
        const EXAMPLES: [&str; 8] = [
            "secret",
            "change",
            "example",
            "placeholder",
            "password",
            "replace",
            "your-",
            "your_",
        ];
        let text = secret.expose_secret();
        if text.len() < Self::MIN_BYTES {
            return Err(WeakSecret::TooShort);
        }
        let distinct: std::collections::HashSet<char> = text.chars().collect();
        let lower = text.to_lowercase();
        if distinct.len() < 10 || EXAMPLES.iter().any(|word| lower.contains(word)) {
            return Err(WeakSecret::Placeholder);
        }
        Ok(Self(secret))
    }

    /// The key's bytes, for the one service that signs.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }

    pub(super) fn key(&self) -> Key {
        Key {
            algorithm: Algorithm::HS256,
            decoding: DecodingKey::from_secret(self.expose()),
            material: self.expose().to_vec(),
        }
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(secret: &str) -> Option<WeakSecret> {
        SharedSecret::new(SecretString::from(secret)).err()
    }

    #[test]
    fn short_secrets_and_placeholders_are_refused() {
        assert_eq!(
            check("abcdefghijklmnopqrstuvwxyz01234"),
            Some(WeakSecret::TooShort)
        );
        assert_eq!(check("abcdefghijklmnopqrstuvwxyz012345"), None);
        assert_eq!(
            check("your-256-bit-secret-your-256-bit-secret"),
            Some(WeakSecret::Placeholder)
        );
        assert_eq!(
            check("CHANGEME-abcdefghijklmnopqrstuvwxyz"),
            Some(WeakSecret::Placeholder)
        );
        assert_eq!(check(&"abcdefghi".repeat(9)), Some(WeakSecret::Placeholder));
        assert_eq!(check(&"abcdefghij".repeat(4)), None);
    }

    #[test]
    fn a_secret_is_never_printed() {
        let text = "abcdefghijklmnopqrstuvwxyz012345";
        let secret = SharedSecret::new(SecretString::from(text)).unwrap();
        assert_eq!(format!("{secret:?}"), "SharedSecret([redacted])");
        assert_eq!(
            secret.expose(),
            text.as_bytes(),
            "but the one who signs has to have it"
        );
    }
}
