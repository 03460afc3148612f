//! The shared secret (`JWT_SECRET`), which both signs and verifies tokens. A service that has the secret to verify tokens can
//! also forge tokens. Use a shared secret only among services that trust one another; otherwise use a published key set.

use std::collections::HashSet;
use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};

use super::key::Key;

/// A secret for HS256, or for HS384 or HS512. A secret that is short or looks like a placeholder is refused.
#[derive(Clone)]
pub struct SharedSecret {
    bytes: SecretSlice<u8>,
    algorithm: Algorithm,
}

/// Why a secret is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WeakSecret {
    /// Shorter than the hash of its algorithm, which RFC 7518 §3.2 does not allow: 32, 48 or 64 bytes.
    #[error("must have at least {min} bytes; `openssl rand -hex {min}` makes a good secret")]
    TooShort {
        /// The minimum length in bytes.
        min: usize,
    },
    /// Contains a word that examples use, or fewer than 10 different bytes.
    #[error("looks like a placeholder; `openssl rand -hex 32` makes a good secret")]
    Placeholder,
    /// Has the form of PEM or of a JWK (RFC 7517). It may be a public key, which everyone knows.
    #[error("is a key in PEM or JWK form, and not a secret")]
    PemOrJwk,
    /// Not HS256, HS384 or HS512.
    #[error("the algorithm is not one for a shared secret")]
    Algorithm,
}

impl SharedSecret {
    /// The minimum length of a secret for HS256, in bytes (RFC 7518 §3.2).
    pub const MIN_BYTES: usize = 32;

    /// Uses the UTF-8 bytes of the text as the key, for HS256.
    ///
    /// # Errors
    /// If the secret is shorter than 32 bytes, has fewer than 10 different bytes, contains a word that examples use, or is a key in PEM or
    /// JWK form.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the caller keeps no copy, which would have to be wiped, too"
    )]
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
        let shared = Self::from_bytes(text.as_bytes().to_vec().into())?;
        let lower = text.to_lowercase();
        if EXAMPLES.iter().any(|word| lower.contains(word)) {
            return Err(WeakSecret::Placeholder);
        }
        Ok(shared)
    }

    /// Uses these bytes as the key, for HS256. A secret that was issued in base64 has to be decoded first, if the issuer decodes it.
    ///
    /// # Errors
    /// If the secret is shorter than 32 bytes, has fewer than 10 different bytes, or is a key in PEM or JWK form.
    pub fn from_bytes(bytes: SecretSlice<u8>) -> Result<Self, WeakSecret> {
        let exposed = bytes.expose_secret();
        if exposed.len() < Self::MIN_BYTES {
            return Err(WeakSecret::TooShort { min: Self::MIN_BYTES });
        }
        let contains = |text: &[u8]| exposed.windows(text.len()).any(|window| window == text);
        if contains(b"-----BEGIN ") || contains(b"\"kty\"") {
            return Err(WeakSecret::PemOrJwk);
        }
        let distinct: HashSet<u8> = exposed.iter().copied().collect();
        if distinct.len() < 10 {
            return Err(WeakSecret::Placeholder);
        }
        Ok(Self {
            bytes,
            algorithm: Algorithm::HS256,
        })
    }

    /// Uses the secret for HS384 or HS512 instead of HS256.
    ///
    /// # Errors
    /// If the secret is shorter than 48 bytes for HS384 or 64 bytes for HS512, or the algorithm is another one.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Result<Self, WeakSecret> {
        let min = match algorithm {
            Algorithm::HS256 => Self::MIN_BYTES,
            Algorithm::HS384 => 48,
            Algorithm::HS512 => 64,
            _ => return Err(WeakSecret::Algorithm),
        };
        if self.expose().len() < min {
            return Err(WeakSecret::TooShort { min });
        }
        self.algorithm = algorithm;
        Ok(self)
    }

    /// The key's bytes, for the service that signs tokens.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.bytes.expose_secret()
    }

    pub(super) fn key(&self) -> Key {
        Key {
            algorithm: self.algorithm,
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
            Some(WeakSecret::TooShort { min: 32 })
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
        for key in [
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n",
            r#"{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        ] {
            assert_eq!(check(key), Some(WeakSecret::PemOrJwk));
        }
        assert_eq!(check(&"abcdefghij".repeat(4)), None);
    }

    #[test]
    fn a_secret_is_at_least_as_long_as_the_hash_of_its_algorithm() {
        let bytes = |count: u8| SharedSecret::from_bytes((0..count).collect::<Vec<_>>().into());
        assert_eq!(bytes(31).err(), Some(WeakSecret::TooShort { min: 32 }));
        for (algorithm, min) in [
            (Algorithm::HS256, 32),
            (Algorithm::HS384, 48),
            (Algorithm::HS512, 64),
        ] {
            let secret = |count: usize| bytes(u8::try_from(count).unwrap()).unwrap().algorithm(algorithm);
            assert_eq!(secret(min).unwrap().key().algorithm, algorithm);
            if min > 32 {
                assert_eq!(secret(min - 1).err(), Some(WeakSecret::TooShort { min }));
            }
        }
        let not_symmetric = bytes(64).unwrap().algorithm(Algorithm::RS256);
        assert_eq!(not_symmetric.err(), Some(WeakSecret::Algorithm));
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
