//! Encryption of stored secrets: AES-256-GCM with the key encryption key. A sealed secret opens only for the purpose for which it
//! was sealed.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The key that encrypts stored secrets: 32 bytes (`KEY_ENCRYPTION_KEY`).
#[derive(Clone)]
pub struct KeyEncryptionKey([u8; 32]);

impl KeyEncryptionKey {
    /// The key with these bytes.
    pub(crate) fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads 32 bytes in base64. Returns `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        STANDARD.decode(text.trim()).ok()?.try_into().ok().map(Self)
    }

    /// Stands in for a missing or malformed key while the rest of the configuration is read. That configuration is then refused.
    pub(crate) fn placeholder() -> Self {
        Self([0; 32])
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
    #[error("a stored secret can't be decrypted: KEY_ENCRYPTION_KEY is wrong, or the data is damaged")]
    NotDecrypted,
    #[error("the cipher failed")]
    Cipher,
}

/// The current key, and the previous key while stored secrets are encrypted again.
#[derive(Clone, Debug)]
pub(crate) struct SealingKeys {
    pub current: KeyEncryptionKey,
    pub previous: Option<KeyEncryptionKey>,
}

/// An opened secret.
pub(crate) struct Opened {
    pub secret: Vec<u8>,
    /// The secret, sealed with the current key. `None` if the secret was already sealed with the current key.
    pub resealed: Option<Vec<u8>>,
}

impl SealingKeys {
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
        let previous = self.previous.as_ref().ok_or(SealError::NotDecrypted)?;
        let secret = open(previous, purpose, sealed)?;
        let resealed = Some(self.seal(purpose, &secret)?);
        Ok(Opened { secret, resealed })
    }
}

fn open(key: &KeyEncryptionKey, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    let (nonce, sealed) = sealed
        .split_at_checked(NONCE_LEN)
        .ok_or(SealError::NotDecrypted)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::NotDecrypted)?;
    let mut opened = sealed.to_vec();
    let secret = key
        .aead()?
        .open_in_place(nonce, Aad::from(purpose), &mut opened)
        .map_err(|_| SealError::NotDecrypted)?;
    Ok(secret.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> KeyEncryptionKey {
        KeyEncryptionKey::parse(&STANDARD.encode([byte; 32])).unwrap()
    }

    fn sealing_keys(current: u8, previous: Option<u8>) -> SealingKeys {
        SealingKeys {
            current: key(current),
            previous: previous.map(key),
        }
    }

    #[test]
    fn a_sealed_secret_opens_only_with_its_key_and_purpose() {
        let sealed = sealing_keys(1, None).seal("a", b"secret").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        let opened = sealing_keys(1, None).open("a", &sealed).unwrap();
        assert_eq!(
            (opened.secret.as_slice(), opened.resealed),
            (b"secret".as_slice(), None)
        );
        assert_eq!(
            sealing_keys(1, None).open("b", &sealed).err(),
            Some(SealError::NotDecrypted)
        );
        assert_eq!(
            sealing_keys(2, None).open("a", &sealed).err(),
            Some(SealError::NotDecrypted)
        );
        assert_eq!(
            sealing_keys(2, Some(3)).open("a", &sealed).err(),
            Some(SealError::NotDecrypted)
        );
        for cut in [0, 5, sealed.len() - 1] {
            assert_eq!(
                sealing_keys(1, None).open("a", &sealed[..cut]).err(),
                Some(SealError::NotDecrypted)
            );
        }
    }

    #[test]
    fn a_secret_sealed_with_the_previous_key_is_resealed() {
        let sealed = sealing_keys(1, None).seal("a", b"secret").unwrap();
        let opened = sealing_keys(2, Some(1)).open("a", &sealed).unwrap();
        assert_eq!(opened.secret, b"secret");
        assert_eq!(
            sealing_keys(2, None)
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
