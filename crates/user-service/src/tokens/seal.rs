//! Encryption of stored secrets: AES-256-GCM with the key encryption key. A sealed secret opens only for the purpose it was sealed
//! for.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The key that encrypts stored secrets: 32 bytes (`KEY_ENCRYPTION_KEY`).
#[derive(Clone, Default)]
pub struct KeyEncryptionKey([u8; 32]);

impl KeyEncryptionKey {
    /// Reads 32 bytes in base64. Returns `None` for anything else.
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

/// Why a secret could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealError {
    #[error("KEY_ENCRYPTION_KEY is not the key that encrypted the secrets in this database")]
    WrongKey,
    #[error("the cipher failed")]
    Cipher,
}

/// The key that seals, and the one that sealed earlier, if it was changed.
#[derive(Debug)]
pub(crate) struct Seals {
    pub current: KeyEncryptionKey,
    pub previous: Option<KeyEncryptionKey>,
}

/// An opened secret.
pub(crate) struct Opened {
    pub secret: Vec<u8>,
    /// The secret sealed with the current key, if it was sealed with the previous one.
    pub resealed: Option<Vec<u8>>,
}

impl Seals {
    /// Encrypts a secret for this purpose. The result is nonce, ciphertext and tag.
    pub(crate) fn seal(&self, purpose: &str, secret: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut sealed = secret.to_vec();
        let nonce = self
            .current
            .aead()?
            .seal_in_place_append_tag(Aad::from(purpose), &mut sealed)
            .map_err(|_| SealError::Cipher)?;
        Ok([nonce.as_ref().as_slice(), &sealed].concat())
    }

    /// Decrypts a secret that was sealed for this purpose.
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
    fn a_sealed_secret_opens_only_with_its_key_and_purpose() {
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
    fn a_secret_sealed_with_the_previous_key_is_resealed() {
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
    fn a_key_is_32_bytes_in_base64_and_is_not_printed() {
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
