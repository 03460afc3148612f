//! The signing keys. The active key signs. The next key is published for a later rotation, which does not exist yet. A retiring key
//! no longer signs, and stays published until the last token that it signed has expired.

use auth::{JwksError, KeySet, Keys, SharedSecret};
use chrono::{DateTime, TimeDelta, Utc};
use db::{Db, Tx};
use serde_json::{Value, json};

use super::seal::{SealError, SealingKeys};
use super::signing::{KeyGenerationFailed, NewKeyPair, Signer, jwk, jws_algorithm, thumbprint};
use crate::domain::{KeyState, MAX_LEEWAY, SigningAlgorithm, SigningKey};
use crate::store::SigningKeyRows;

/// How long a retiring key stays published in addition to the lifetime of its tokens. Another replica signs with the key until
/// that replica is restarted, so all replicas must be restarted within this time.
const ROLLOUT: TimeDelta = TimeDelta::hours(1);
/// When there are this many retiring keys, a further change of the algorithm is refused. Verifiers refuse a key set of more than 32
/// keys, so without a limit an operator who changes the algorithm at each restart would make every token invalid.
const MAX_RETIRING: usize = 8;

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
    #[error(
        "SIGNING_ALG was changed too often: {MAX_RETIRING} retiring keys are still published; keep {active}, or wait until {until}"
    )]
    TooManyRetiring {
        active: SigningAlgorithm,
        until: DateTime<Utc>,
    },
    #[error(transparent)]
    KeyGeneration(#[from] KeyGenerationFailed),
}

/// The signing key, and the public keys that verify its signatures.
#[derive(Clone, Debug)]
pub(crate) struct SigningKeys {
    pub signer: Signer,
    pub published: PublishedKeys,
    /// The public keys for this service's own verifier.
    pub verification: Keys,
}

/// The public keys. Each key has the time at which it is no longer published, if that time is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct PublishedKeys(Vec<(Value, Option<DateTime<Utc>>)>);

impl PublishedKeys {
    fn of(keys: &[SigningKey]) -> Self {
        let publish = |key: &SigningKey| (jwk(key.algorithm, &key.kid, &key.public_key), key.not_after);
        Self(keys.iter().map(publish).collect())
    }

    /// The key set that verifies signatures of the keys published at this time.
    fn key_set(&self, now: DateTime<Utc>) -> Result<KeySet, JwksError> {
        let algorithms = [SigningAlgorithm::EdDsa, SigningAlgorithm::Es256].map(jws_algorithm);
        KeySet::from_jwks(self.jwks(now).to_string().as_bytes(), &algorithms)
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

    /// Whether no keys are published, because a shared secret signs.
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
            verification: Keys::new(secret.clone().into()),
        }
    }

    /// Removes the keys that are no longer published at this time from the key set of this service's own verifier. Other services
    /// don't need this step: they fetch the published keys.
    pub(crate) fn remove_expired(&self, now: DateTime<Utc>) -> Result<(), JwksError> {
        if !self.published.is_empty() {
            self.verification.replace(self.published.key_set(now)?);
        }
        Ok(())
    }
}

/// Loads the keys from the database and creates missing keys. If the active key has another algorithm than `algorithm`, that key
/// retires and a new key becomes active.
pub(crate) async fn load_or_create(
    db: &Db,
    algorithm: SigningAlgorithm,
    token_lifetime: TimeDelta,
    sealing_keys: &SealingKeys,
    now: DateTime<Utc>,
) -> Result<SigningKeys, KeyError> {
    let not_after = now + ROLLOUT + token_lifetime + MAX_LEEWAY;
    let load = async |tx: &mut Tx| {
        let mut rows = SigningKeyRows(tx);
        rows.delete_expired(now).await?;
        check_change(&rows.all().await?, algorithm)?;
        rows.retire_other_algorithms(algorithm, not_after).await?;
        for state in [KeyState::Active, KeyState::Next] {
            // Does nothing if there is a key in this state, from an earlier start or from a replica that starts at the same time.
            rows.add_unless_state_taken(&create(algorithm, state, sealing_keys, now)?)
                .await?;
        }
        let keys = rows.all().await?;
        let signer = open_all(tx, &keys, sealing_keys).await?;
        Ok::<_, KeyError>((keys, signer))
    };
    let (keys, signer) = db.transaction(load).await?;

    let published = PublishedKeys::of(&keys);
    let verification = Keys::new(published.key_set(now)?);
    Ok(SigningKeys {
        signer,
        published,
        verification,
    })
}

/// Refuses a change of the algorithm while too many retiring keys are published.
fn check_change(keys: &[SigningKey], algorithm: SigningAlgorithm) -> Result<(), KeyError> {
    let active = keys.iter().find(|key| key.state == KeyState::Active);
    let retiring: Vec<_> = keys
        .iter()
        .filter(|key| key.state == KeyState::Retiring)
        .collect();
    match active {
        Some(active) if active.algorithm != algorithm && retiring.len() >= MAX_RETIRING => {
            let first_end = retiring.iter().filter_map(|key| key.not_after).min();
            Err(KeyError::TooManyRetiring {
                active: active.algorithm,
                until: first_end.unwrap_or_default(),
            })
        }
        _ => Ok(()),
    }
}

/// Decrypts every private key, and returns the signer of the active key. A private key that was encrypted with the previous key
/// encryption key is encrypted again with the current one.
async fn open_all(tx: &mut Tx, keys: &[SigningKey], sealing_keys: &SealingKeys) -> Result<Signer, KeyError> {
    let mut signer = None;
    for key in keys {
        let opened = sealing_keys.open(&purpose(&key.kid), &key.sealed_private)?;
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
    sealing_keys: &SealingKeys,
    now: DateTime<Utc>,
) -> Result<SigningKey, KeyError> {
    let NewKeyPair { public_key, pkcs8 } = NewKeyPair::generate(algorithm)?;
    let kid = thumbprint(algorithm, &public_key);
    Ok(SigningKey {
        sealed_private: sealing_keys.seal(&purpose(&kid), &pkcs8)?,
        kid,
        algorithm,
        state,
        public_key,
        created_at: now,
        activated_at: (state == KeyState::Active).then_some(now),
        not_after: None,
    })
}

/// The purpose for which a private key is sealed. The purpose contains the key's id, so that a sealed key can't be moved to the row
/// of another key.
fn purpose(kid: &str) -> String {
    format!("signing key {kid}")
}

#[cfg(test)]
mod tests {
    use auth::{Clock, Verifier};
    use test_kit::TestDatabase;

    use SigningAlgorithm::{EdDsa, Es256};

    use super::*;
    use crate::store::MIGRATIONS;
    use crate::tokens::{KeyEncryptionKey, TokenIssuer};

    const LIFETIME: TimeDelta = TimeDelta::minutes(15);

    fn sealing_keys() -> SealingKeys {
        SealingKeys {
            current: KeyEncryptionKey::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap(),
            previous: None,
        }
    }

    #[actix_web::test]
    async fn a_retiring_key_verifies_until_its_end_and_no_longer() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let clock = Clock::fixed();
        let load = async |algorithm| {
            load_or_create(&db, algorithm, LIFETIME, &sealing_keys(), clock.now())
                .await
                .unwrap()
        };
        let old = load(EdDsa).await;
        let new = load(Es256).await;
        let end = clock.now() + ROLLOUT + LIFETIME + MAX_LEEWAY;

        let verifier = Verifier::builder(
            "inventory-service",
            "https://issuer.example",
            new.verification.clone(),
        )
        .clock(clock.clone())
        .build();
        // Each call signs a new token, also with the retiring key: an attacker who has that key could do this.
        let is_accepted = |keys: &SigningKeys| {
            let issuer = TokenIssuer {
                issuer: "https://issuer.example".to_owned(),
                audience: "platform".to_owned(),
                lifetime: LIFETIME,
                roles: service_kit::Roles::built_in(),
                signer: keys.signer.clone(),
            };
            let token = issuer
                .service_token("order-service", "inventory-service", clock.now())
                .unwrap();
            verifier.verify_claims(&token).is_ok()
        };
        assert!(is_accepted(&old) && is_accepted(&new));

        clock.advance(end - clock.now() - TimeDelta::microseconds(1));
        new.remove_expired(clock.now()).unwrap();
        assert!(is_accepted(&old) && is_accepted(&new));

        clock.advance(TimeDelta::microseconds(1));
        new.remove_expired(clock.now()).unwrap();
        assert!(!is_accepted(&old) && is_accepted(&new));
    }

    #[actix_web::test]
    async fn a_private_key_opens_only_in_its_own_row() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let now = Clock::fixed().now();
        let load = async || load_or_create(&db, EdDsa, LIFETIME, &sealing_keys(), now).await;
        load().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        let keys = SigningKeyRows(&mut tx).all().await.unwrap();
        for (key, activated_at) in [(KeyState::Active, Some(now)), (KeyState::Next, None)]
            .map(|(state, at)| (keys.iter().find(|key| key.state == state).unwrap(), at))
        {
            assert_eq!(key.activated_at, activated_at);
            // Stored keys depend on this text: no later version may change it.
            let purpose = format!("signing key {}", key.kid);
            sealing_keys().open(&purpose, &key.sealed_private).unwrap();
        }

        // An attacker who can write to the database could do this.
        SigningKeyRows(&mut tx)
            .reseal(&keys[0].kid, &keys[1].sealed_private)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let refused = load().await.unwrap_err();
        assert!(
            matches!(refused, KeyError::Seal(SealError::NotDecrypted)),
            "{refused}"
        );
    }

    #[test]
    fn a_shared_secret_does_not_expire() {
        let secret = SharedSecret::new("AbCdEfGhIjKlMnOpQrStUvWxYz0123456789".into()).unwrap();
        let keys = SigningKeys::of_shared_secret(&secret);
        keys.remove_expired(DateTime::<Utc>::MAX_UTC).unwrap();
        assert!(keys.verification.is_loaded());
    }

    #[actix_web::test]
    async fn a_change_of_the_algorithm_is_refused_while_eight_retiring_keys_are_published() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let now = Clock::fixed().now();
        let load =
            async |algorithm, now| load_or_create(&db, algorithm, LIFETIME, &sealing_keys(), now).await;
        for change in 0..=MAX_RETIRING {
            let algorithm = if change % 2 == 0 { EdDsa } else { Es256 };
            load(algorithm, now).await.unwrap();
        }

        let end = now + ROLLOUT + LIFETIME + MAX_LEEWAY;
        let refused = load(Es256, now).await.unwrap_err();
        let KeyError::TooManyRetiring { active, until } = refused else {
            panic!("{refused}")
        };
        assert_eq!((active, until), (EdDsa, end));

        let kept = load(EdDsa, now).await.unwrap();
        assert_eq!(kept.published.0.len(), MAX_RETIRING + 2);
        let changed = load(Es256, end).await.unwrap();
        assert_eq!(changed.published.0.len(), 3, "the retiring keys were deleted");
    }
}
