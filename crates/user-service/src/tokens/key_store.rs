//! The stored signing keys: creates missing keys at startup, and opens private keys.

use auth::JwksError;
use chrono::{DateTime, TimeDelta, Utc};
use db::{Db, Tx};

use super::seal::{SealError, SealingKeys};
use super::signing::{KeyGenerationFailed, NewKeyPair, Signer, thumbprint};
use crate::domain::{KeyState, MAX_RETIRING, SigningAlgorithm, SigningKey, StoredKeys, retiring_until};
use crate::store::SigningKeyRows;

/// Why there are no signing keys, or why they can't be changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("the database is unavailable or refused a statement")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("the public keys are not a valid key set")]
    KeySet(#[from] JwksError),
    #[error("there is no {} signing key", .0.name())]
    Missing(KeyState),
    #[error(
        "SIGNING_ALG was changed or the keys were rotated too often: {MAX_RETIRING} retiring keys are still published; keep {active}, \
         or wait until {until}"
    )]
    TooManyRetiring {
        active: SigningAlgorithm,
        until: DateTime<Utc>,
    },
    #[error(transparent)]
    KeyGeneration(#[from] KeyGenerationFailed),
}

/// The keys in the database.
#[derive(Debug)]
pub(super) struct KeyStore {
    pub db: Db,
    pub sealing_keys: SealingKeys,
}

/// The stored keys after startup.
pub(super) struct LoadedKeys {
    pub keys: StoredKeys,
    pub signer: Signer,
    /// Whether the active key was replaced.
    pub is_replaced: bool,
}

impl KeyStore {
    pub async fn load(&self) -> Result<StoredKeys, sqlx::Error> {
        SigningKeyRows(&mut self.db.read().await?).all().await
    }

    /// Loads the keys and creates missing keys. If the active key has another algorithm than `algorithm`, that key retires and a
    /// new key becomes active.
    pub async fn load_or_create(
        &self,
        algorithm: SigningAlgorithm,
        token_lifetime: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<LoadedKeys, KeyError> {
        let load = async |tx: &mut Tx| {
            let mut rows = SigningKeyRows(tx);
            rows.lock().await?;
            rows.delete_expired(now).await?;
            let before = rows.all().await?;
            check_change(&before, algorithm, now)?;
            rows.retire_other_algorithms(algorithm, retiring_until(now, token_lifetime))
                .await?;
            for state in [KeyState::Active, KeyState::Next] {
                // Does nothing if there is a key in this state, from an earlier start or from another replica.
                rows.add_unless_state_taken(&self.create(algorithm, state, now)?)
                    .await?;
            }
            let keys = rows.all().await?;
            let signer = self.open_all(tx, &keys).await?;
            Ok::<_, KeyError>(LoadedKeys {
                keys,
                signer,
                is_replaced: before
                    .active()
                    .is_some_and(|active| active.algorithm != algorithm),
            })
        };
        self.db.transaction(load).await
    }

    /// The signer of a key.
    pub fn open(&self, key: &SigningKey) -> Result<Signer, KeyError> {
        let opened = self.sealing_keys.open(&purpose(&key.kid), &key.sealed_private)?;
        Ok(Signer::with_private_key(key.algorithm, &key.kid, &opened.secret))
    }

    /// Decrypts every private key, and returns the signer of the active key. A private key that was encrypted with the previous key
    /// encryption key is encrypted again with the current one.
    async fn open_all(&self, tx: &mut Tx, keys: &StoredKeys) -> Result<Signer, KeyError> {
        let mut signer = None;
        for key in &keys.0 {
            let opened = self.sealing_keys.open(&purpose(&key.kid), &key.sealed_private)?;
            if let Some(resealed) = opened.resealed {
                SigningKeyRows(tx).reseal(&key.kid, &resealed).await?;
            }
            if key.state == KeyState::Active {
                signer = Some(Signer::with_private_key(key.algorithm, &key.kid, &opened.secret));
            }
        }
        signer.ok_or(KeyError::Missing(KeyState::Active))
    }

    /// A new key, which is not stored yet.
    pub fn create(
        &self,
        algorithm: SigningAlgorithm,
        state: KeyState,
        now: DateTime<Utc>,
    ) -> Result<SigningKey, KeyError> {
        let NewKeyPair { public_key, pkcs8 } = NewKeyPair::generate(algorithm)?;
        let kid = thumbprint(algorithm, &public_key);
        Ok(SigningKey {
            sealed_private: self.sealing_keys.seal(&purpose(&kid), &pkcs8)?,
            kid,
            algorithm,
            state,
            public_key,
            created_at: now,
            activated_at: (state == KeyState::Active).then_some(now),
            not_after: None,
            rotation_requested_at: None,
            rotation_reason: None,
            rotation_requested_by: None,
        })
    }
}

/// Refuses a change of the algorithm while too many retiring keys are published.
fn check_change(keys: &StoredKeys, algorithm: SigningAlgorithm, now: DateTime<Utc>) -> Result<(), KeyError> {
    match (keys.active(), keys.full_until(now)) {
        (Some(active), Some(until)) if active.algorithm != algorithm => Err(KeyError::TooManyRetiring {
            active: active.algorithm,
            until,
        }),
        _ => Ok(()),
    }
}

/// The purpose for which a private key is sealed. The purpose contains the key's id, so that a sealed key can't be moved to the row
/// of another key.
fn purpose(kid: &str) -> String {
    format!("signing key {kid}")
}
