//! The signing keys: one is active, the next one is published ahead of its use, and retired ones stay published until their last
//! token has expired.

use auth::{JwksError, KeySet, Keys, SharedSecret};
use chrono::{DateTime, TimeDelta, Utc};
use db::{Db, Tx};
use serde_json::{Value, json};

use super::seal::{SealError, Seals};
use super::signing::{NewKeyPair, Signer, jwk, jws_algorithm, thumbprint};
use crate::domain::{KeyState, LEEWAY, SigningAlgorithm, SigningKey};
use crate::random::NoRandomness;
use crate::store::SigningKeyRows;

/// How long other replicas may still sign with a key after this one retired it: they do until they are restarted.
const ROLLOUT: TimeDelta = TimeDelta::hours(1);

/// Why there are no signing keys.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("the database is unavailable or refused a statement")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("the public keys are not a valid key set")]
    KeySet(#[from] JwksError),
    #[error("there is no active signing key")]
    NoActiveKey,
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// The signing key, and the public keys that verify its signatures.
#[derive(Clone, Debug)]
pub(crate) struct SigningKeys {
    pub signer: Signer,
    pub published: PublishedKeys,
    /// The public keys for this service's own verifier.
    pub verification: Keys,
}

/// The public keys, each with the time at which it is no longer published.
#[derive(Clone, Debug, Default)]
pub(crate) struct PublishedKeys(Vec<(Value, Option<DateTime<Utc>>)>);

impl PublishedKeys {
    fn of(keys: &[SigningKey]) -> Self {
        let publish = |key: &SigningKey| (jwk(key.algorithm, &key.kid, &key.public_key), key.not_after);
        Self(keys.iter().map(publish).collect())
    }

    /// The JWK Set at this time (RFC 7517 §5).
    pub(crate) fn jwks(&self, now: DateTime<Utc>) -> Value {
        let is_published = |not_after: &Option<DateTime<Utc>>| not_after.is_none_or(|end| now < end);
        let keys: Vec<_> = self
            .0
            .iter()
            .filter(|(_, not_after)| is_published(not_after))
            .map(|(jwk, _)| jwk)
            .collect();
        json!({"keys": keys})
    }

    /// Whether there are none, because a shared secret signs.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl SigningKeys {
    /// A shared secret signs and verifies, and no key is published.
    pub(crate) fn of_shared_secret(secret: &SharedSecret) -> Self {
        Self {
            signer: Signer::with_shared_secret(secret),
            published: PublishedKeys::default(),
            verification: Keys::fixed(secret.clone().into()),
        }
    }
}

/// Loads the keys from the database and creates those that are missing. If the active key has another algorithm than this one, it
/// is retired and a new one becomes active.
pub(crate) async fn load_or_create(
    db: &Db,
    algorithm: SigningAlgorithm,
    token_lifetime: TimeDelta,
    seals: &Seals,
    now: DateTime<Utc>,
) -> Result<SigningKeys, KeyError> {
    let not_after = now + ROLLOUT + token_lifetime + LEEWAY;
    let load = async |tx: &mut Tx| {
        let mut rows = SigningKeyRows(tx);
        rows.delete_expired(now).await?;
        rows.retire_other_algorithms(algorithm, not_after).await?;
        for state in [KeyState::Active, KeyState::Next] {
            // If another replica that starts at the same time has created this key, its key is used.
            rows.add_unless_state_taken(&create(algorithm, state, seals, now)?)
                .await?;
        }
        let keys = rows.all().await?;
        let signer = open_all(tx, &keys, seals).await?;
        Ok::<_, KeyError>((keys, signer))
    };
    let (keys, signer) = db.transaction(load).await?;

    let published = PublishedKeys::of(&keys);
    let algorithms = [SigningAlgorithm::EdDsa, SigningAlgorithm::Es256].map(jws_algorithm);
    let set = KeySet::from_jwks(published.jwks(now).to_string().as_bytes(), &algorithms)?;
    Ok(SigningKeys {
        signer,
        published,
        verification: Keys::fixed(set),
    })
}

/// Decrypts every private key, encrypts it again if it was encrypted with the previous key encryption key, and returns the signer
/// of the active one.
async fn open_all(tx: &mut Tx, keys: &[SigningKey], seals: &Seals) -> Result<Signer, KeyError> {
    let mut signer = None;
    for key in keys {
        let opened = seals.open(&purpose(&key.kid), &key.sealed_private)?;
        if let Some(resealed) = opened.resealed {
            SigningKeyRows(tx).reseal(&key.kid, &resealed).await?;
        }
        if key.state == KeyState::Active {
            signer = Some(Signer::with_private_key(key.algorithm, &key.kid, &opened.secret));
        }
    }
    signer.ok_or(KeyError::NoActiveKey)
}

fn create(
    algorithm: SigningAlgorithm,
    state: KeyState,
    seals: &Seals,
    now: DateTime<Utc>,
) -> Result<SigningKey, KeyError> {
    let NewKeyPair { public_key, pkcs8 } = NewKeyPair::generate(algorithm)?;
    let kid = thumbprint(algorithm, &public_key);
    Ok(SigningKey {
        sealed_private: seals.seal(&purpose(&kid), &pkcs8)?,
        kid,
        algorithm,
        state,
        public_key,
        created_at: now,
        activated_at: (state == KeyState::Active).then_some(now),
        not_after: None,
    })
}

/// The purpose that a sealed private key is bound to, so that it can't be moved to the row of another key.
fn purpose(kid: &str) -> String {
    format!("signing key {kid}")
}
