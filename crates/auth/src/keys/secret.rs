//! The shared secret (`JWT_SECRET`), which both signs and verifies tokens. A service that has the secret to verify tokens can
//! also forge tokens. Use a shared secret only among services that trust one another; otherwise use a published key set.

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey};
use secrecy::{ExposeSecret, SecretString};

use super::key::Key;

/// A secret for HS256. A secret that is short or looks like a placeholder is refused.
#[derive(Clone)]
pub struct SharedSecret(SecretString);

/// Why a secret is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WeakSecret {
    /// Shorter than 32 bytes: RFC 7518 §3.2 requires a key at least as long as the hash.
    #[error("must have at least 32 bytes; `openssl rand -base64 48` makes a good secret")]
    TooShort,
    /// Contains a word that examples use, or fewer than 10 different characters.
    #[error("looks like a placeholder; `openssl rand -base64 48` makes a good secret")]
    Placeholder,
}

impl SharedSecret {
    /// The minimum length in bytes (RFC 7518 §3.2).
    pub const MIN_BYTES: usize = 32;

    /// Uses the UTF-8 bytes of the text as the key.
    ///
    /// # Errors
    /// If the secret is shorter than 32 bytes, has fewer than 10 different characters, or contains a word that examples use.
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

    /// The key's bytes, for the service that signs tokens.
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
    fn debug_does_not_show_the_secret() {
        let text = "abcdefghijklmnopqrstuvwxyz012345";
        let secret = SharedSecret::new(SecretString::from(text)).unwrap();
        assert_eq!(format!("{secret:?}"), "SharedSecret([redacted])");
        assert_eq!(
            secret.expose(),
            text.as_bytes(),
            "the signing service needs the bytes"
        );
    }
}
