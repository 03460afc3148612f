//! Encryption at rest: AES-256-GCM under the key encryption key, bound to what the secret is for.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What private keys are encrypted with: 32 bytes.
#[derive(Clone, Default)]
pub struct KeyEncryptionKey([u8; 32]);

impl KeyEncryptionKey {
    /// Reads 32 bytes in base64; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        STANDARD.decode(text.trim()).ok()?.try_into().ok().map(Self)
    }

    fn aead(&self) -> Result<RandomizedNonceKey, SealError> {
        RandomizedNonceKey::new(&AES_256_GCM, &self.0).map_err(|_| SealError::Cipher)
    }
}

impl std::fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyEncryptionKey([redacted])")
    }
}

/// Why a secret can't be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealError {
    #[error("KEY_ENCRYPTION_KEY is not the one that this database's keys were encrypted with")]
    WrongKey,
    #[error("the cipher failed")]
    Cipher,
}

/// The key that seals, and the one that may have sealed before.
#[derive(Debug)]
pub(crate) struct Seals {
    pub current: KeyEncryptionKey,
    pub previous: Option<KeyEncryptionKey>,
}

/// A secret that was opened.
pub(crate) struct Opened {
    pub secret: Vec<u8>,
    /// The same sealed anew, where it was sealed with the previous key.
    pub resealed: Option<Vec<u8>>,
}

impl Seals {
    /// Encrypts a secret for this purpose: nonce, ciphertext, tag.
    pub(crate) fn seal(&self, purpose: &str, secret: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut sealed = secret.to_vec();
        let nonce = self
            .current
            .aead()?
            .seal_in_place_append_tag(Aad::from(purpose), &mut sealed)
            .map_err(|_| SealError::Cipher)?;
        Ok([nonce.as_ref().as_slice(), &sealed].concat())
    }

    /// Decrypts what was sealed for this purpose.
    pub(crate) fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Opened, SealError> {
        if let Ok(secret) = open(&self.current, purpose, sealed) {
            return Ok(Opened {
                secret,
                resealed: None,
            });
        }
        let previous = self.previous.as_ref().ok_or(SealError::WrongKey)?;
        let secret = open(previous, purpose, sealed)?;
        let resealed = Some(self.seal(purpose, &secret)?);
        Ok(Opened { secret, resealed })
    }
}

fn open(key: &KeyEncryptionKey, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(SealError::WrongKey)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::WrongKey)?;
    let mut opened = sealed.to_vec();
    let secret = key
        .aead()?
        .open_in_place(nonce, Aad::from(purpose), &mut opened)
        .map_err(|_| SealError::WrongKey)?;
    Ok(secret.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> KeyEncryptionKey {
        KeyEncryptionKey::parse(&STANDARD.encode([byte; 32])).unwrap()
    }

    fn seals(current: u8, previous: Option<u8>) -> Seals {
        Seals {
            current: key(current),
            previous: previous.map(key),
        }
    }

    #[test]
    fn what_was_sealed_opens_with_the_same_key_and_purpose_only() {
        let sealed = seals(1, None).seal("a", b"secret").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        let opened = seals(1, None).open("a", &sealed).unwrap();
        assert_eq!(
            (opened.secret.as_slice(), opened.resealed),
            (b"secret".as_slice(), None)
        );
        assert_eq!(seals(1, None).open("b", &sealed).err(), Some(SealError::WrongKey));
        assert_eq!(seals(2, None).open("a", &sealed).err(), Some(SealError::WrongKey));
        assert_eq!(
            seals(2, Some(3)).open("a", &sealed).err(),
            Some(SealError::WrongKey)
        );
        for cut in [0, 5, sealed.len() - 1] {
            assert_eq!(
                seals(1, None).open("a", &sealed[..cut]).err(),
                Some(SealError::WrongKey)
            );
        }
    }

    #[test]
    fn what_the_previous_key_sealed_is_sealed_anew() {
        let sealed = seals(1, None).seal("a", b"secret").unwrap();
        let opened = seals(2, Some(1)).open("a", &sealed).unwrap();
        assert_eq!(opened.secret, b"secret");
        assert_eq!(
            seals(2, None)
                .open("a", &opened.resealed.unwrap())
                .unwrap()
                .secret,
            b"secret"
        );
    }

    #[test]
    fn a_key_is_32_bytes_in_base64_and_never_printed() {
        assert!(KeyEncryptionKey::parse(&format!(" {}\n", STANDARD.encode([7; 32]))).is_some());
        for wrong in [
            STANDARD.encode([7; 31]),
            STANDARD.encode([7; 33]),
            "x".repeat(44),
            String::new(),
        ] {
            assert!(KeyEncryptionKey::parse(&wrong).is_none());
        }
        assert_eq!(format!("{:?}", key(7)), "KeyEncryptionKey([redacted])");
    }
}
