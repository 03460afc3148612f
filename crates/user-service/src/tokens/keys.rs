//! The current signing keys of this process. They can be replaced while tokens are signed and verified.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use auth::{Claims, JwksError, Keys, SharedSecret};
use chrono::{DateTime, TimeDelta, Utc};
use db::{Conn, Db};
use serde_json::Value;
use tokio::sync::{Mutex, Notify};

use super::key_store::{KeyError, KeyStore, LoadedKeys};
use super::published_keys::PublishedKeys;
use super::seal::SealingKeys;
use super::signing::Signer;
use crate::domain::{KeyIds, KeyState, SigningAlgorithm, SigningKey, StoredKeys};
use crate::store::SigningKeyRows;

/// The key that signs, and the public keys that verify signatures. Clones share them.
#[derive(Clone)]
pub(crate) struct SigningKeys(Arc<Shared>);

struct Shared {
    current: RwLock<Arc<CurrentKeys>>,
    /// The public keys for this service's own verifier.
    verification: Keys,
    /// `None` if a shared secret signs.
    store: Option<KeyStore>,
    /// Locked while the keys are replaced, so that older keys never replace newer ones.
    loading: Mutex<()>,
    /// Notified when other keys were loaded.
    changed: Notify,
}

#[derive(Debug)]
struct CurrentKeys {
    signer: Signer,
    is_signer_active: bool,
    published: PublishedKeys,
}

impl SigningKeys {
    /// A shared secret signs and verifies, and no key is published.
    pub(crate) fn of_shared_secret(secret: &SharedSecret) -> Self {
        let current = CurrentKeys {
            signer: Signer::with_shared_secret(secret),
            is_signer_active: true,
            published: PublishedKeys::default(),
        };
        Self::new(current, Keys::new(secret.clone().into()), None)
    }

    /// Loads the keys from the database and creates missing keys. If the active key has another algorithm than `algorithm`, that
    /// key retires and a new key becomes active. Also returns whether that happened: then the change should be announced.
    pub(crate) async fn load_or_create(
        db: Db,
        sealing_keys: SealingKeys,
        algorithm: SigningAlgorithm,
        token_lifetime: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<(Self, bool), KeyError> {
        let store = KeyStore { db, sealing_keys };
        let LoadedKeys {
            keys,
            signer,
            is_replaced,
        } = store.load_or_create(algorithm, token_lifetime, now).await?;
        let published = PublishedKeys::of(&keys);
        let verification = Keys::new(published.key_set(now)?);
        let current = CurrentKeys {
            signer,
            is_signer_active: true,
            published,
        };
        Ok((Self::new(current, verification, Some(store)), is_replaced))
    }

    fn new(current: CurrentKeys, verification: Keys, store: Option<KeyStore>) -> Self {
        Self(Arc::new(Shared {
            current: RwLock::new(Arc::new(current)),
            verification,
            store,
            loading: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// Whether no keys are published, because a shared secret signs.
    pub(crate) fn is_shared_secret(&self) -> bool {
        self.0.store.is_none()
    }

    /// The public keys for this service's own verifier. They follow the current keys.
    pub(crate) fn verification(&self) -> &Keys {
        &self.0.verification
    }

    /// Signs with the active key.
    pub(super) fn sign(&self, claims: &Claims) -> Result<String, jsonwebtoken::errors::Error> {
        self.current().signer.sign(claims)
    }

    /// The JWK Set at this time (RFC 7517 §5).
    pub(crate) fn jwks(&self, now: DateTime<Utc>) -> Value {
        self.current().published.jwks(now)
    }

    /// The keys that this process publishes and verifies with.
    pub(crate) fn kids(&self) -> KeyIds {
        KeyIds::of(self.current().published.kids())
    }

    /// Whether this process signs with the active key. If it can't decrypt that key, its tokens are refused as soon as the key that
    /// it signs with is no longer published.
    pub(crate) fn signs_with_active_key(&self) -> bool {
        self.current().is_signer_active
    }

    /// Waits until other keys were loaded. Only one task may wait.
    pub(crate) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// Loads the keys from the database again. If that fails, the current keys stay in use. If the active key can't be decrypted, the
    /// known key signs on.
    pub(crate) async fn reload(&self, now: DateTime<Utc>) -> Result<(), KeyError> {
        let Some(store) = &self.0.store else { return Ok(()) };
        self.reload_with(&mut store.db.read().await?, now).await
    }

    /// As [`reload`](Self::reload), with this connection.
    pub(crate) async fn reload_with(&self, conn: &mut Conn, now: DateTime<Utc>) -> Result<(), KeyError> {
        let Some(store) = &self.0.store else { return Ok(()) };
        let _loading = self.0.loading.lock().await;
        let keys = SigningKeyRows(conn).all().await?;
        self.replace(store, &keys, now)
    }

    fn replace(&self, store: &KeyStore, keys: &StoredKeys, now: DateTime<Utc>) -> Result<(), KeyError> {
        let current = self.current();
        let published = PublishedKeys::of(keys);
        let is_changed = !published.kids().eq(current.published.kids());
        // First, so that this service accepts what it signs.
        self.0.verification.replace(published.key_set(now)?);
        // If the active key can't be opened, at least the right keys are published.
        let (signer, opened) = match signer(store, keys, &current.signer) {
            Ok(signer) => (signer, Ok(())),
            Err(error) => (current.signer.clone(), Err(error)),
        };
        let new = Arc::new(CurrentKeys {
            signer,
            is_signer_active: opened.is_ok(),
            published,
        });
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        if is_changed {
            self.0.changed.notify_one();
        }
        opened
    }

    /// Removes the keys that are no longer published at this time from the key set of this service's own verifier. Other services
    /// don't need this step: they fetch the published keys.
    pub(crate) async fn remove_expired(&self, now: DateTime<Utc>) -> Result<(), JwksError> {
        let _loading = self.0.loading.lock().await;
        if !self.is_shared_secret() {
            self.0
                .verification
                .replace(self.current().published.key_set(now)?);
        }
        Ok(())
    }

    /// Checks that this process can decrypt a private key.
    pub(crate) fn check_decryption(&self, key: &SigningKey) -> Result<(), KeyError> {
        match &self.0.store {
            Some(store) => store.open(key).map(drop),
            None => Ok(()),
        }
    }

    /// A new key to be stored as the next one.
    pub(crate) fn create_next(
        &self,
        algorithm: SigningAlgorithm,
        now: DateTime<Utc>,
    ) -> Result<SigningKey, KeyError> {
        let store = self.0.store.as_ref().ok_or(KeyError::Missing(KeyState::Next))?;
        store.create(algorithm, KeyState::Next, now)
    }

    fn current(&self) -> Arc<CurrentKeys> {
        let current = self.0.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }
}

/// The signer of the active key. A known key is not decrypted again.
fn signer(store: &KeyStore, keys: &StoredKeys, known: &Signer) -> Result<Signer, KeyError> {
    let active = keys.active().ok_or(KeyError::Missing(KeyState::Active))?;
    if known.kid() == Some(active.kid.as_str()) {
        return Ok(known.clone());
    }
    let signer = store.open(active)?;
    tracing::info!(kid = active.kid, "signing with another key");
    Ok(signer)
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKeys").field(&self.current()).finish()
    }
}

#[cfg(test)]
mod tests {
    use auth::{Clock, Profile, Verifier};
    use test_kit::TestDatabase;

    use SigningAlgorithm::{EdDsa, Es256};

    use super::*;
    use crate::domain::{MAX_RETIRING, retiring_until};
    use crate::store::MIGRATIONS;
    use crate::tokens::seal::SealError;
    use crate::tokens::{KeyEncryptionKey, TokenIssuer};

    const LIFETIME: TimeDelta = TimeDelta::minutes(15);

    fn sealing_keys() -> SealingKeys {
        SealingKeys {
            current: KeyEncryptionKey::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap(),
            previous: None,
        }
    }

    async fn load(db: &Db, algorithm: SigningAlgorithm, now: DateTime<Utc>) -> Result<SigningKeys, KeyError> {
        let loaded = SigningKeys::load_or_create(db.clone(), sealing_keys(), algorithm, LIFETIME, now).await;
        Ok(loaded?.0)
    }

    #[actix_web::test]
    async fn a_retiring_key_verifies_until_its_end_and_no_longer() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let clock = Clock::fixed();
        let old = load(&db, EdDsa, clock.now()).await.unwrap();
        let new = load(&db, Es256, clock.now()).await.unwrap();
        let end = retiring_until(clock.now(), LIFETIME);

        let verifier = Verifier::builder(
            "https://issuer.example",
            new.verification().clone(),
            Profile::countersign("inventory-service"),
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
                keys: keys.clone(),
            };
            let token = issuer
                .service_token("order-service", "inventory-service", clock.now())
                .unwrap();
            verifier.verify_claims(&token).is_ok()
        };
        assert!(is_accepted(&old) && is_accepted(&new));

        clock.advance(end - clock.now() - TimeDelta::microseconds(1));
        new.remove_expired(clock.now()).await.unwrap();
        assert!(is_accepted(&old) && is_accepted(&new));

        clock.advance(TimeDelta::microseconds(1));
        new.remove_expired(clock.now()).await.unwrap();
        assert!(!is_accepted(&old) && is_accepted(&new));
    }

    #[actix_web::test]
    async fn the_known_keys_stay_in_use_while_others_can_not_be_loaded() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let now = Clock::fixed().now();
        let keys = load(&db, EdDsa, now).await.unwrap();
        let kid = keys.current().signer.kid().unwrap().to_owned();

        // Another replica with another key encryption key rotates the keys.
        let mut tx = db.begin().await.unwrap();
        SigningKeyRows(&mut tx).retire_active(now).await.unwrap();
        SigningKeyRows(&mut tx).activate_next(now).await.unwrap();
        let active = SigningKeyRows(&mut tx).all().await.unwrap();
        let active = &active.active().unwrap().kid;
        SigningKeyRows(&mut tx).reseal(active, &[7; 64]).await.unwrap();
        tx.commit().await.unwrap();
        let error = keys.reload(now).await.unwrap_err();
        assert!(
            matches!(error, KeyError::Seal(SealError::NotDecrypted)),
            "{error}"
        );
        let jwks = keys.jwks(now);
        assert_eq!(&keys.verification().ids(), std::slice::from_ref(active));
        assert_eq!(keys.current().signer.kid(), Some(kid.as_str()));
        assert!(!keys.signs_with_active_key());

        db.close().await;
        let error = keys.reload(now).await.unwrap_err();
        assert!(matches!(error, KeyError::Database(_)), "{error}");
        assert_eq!(
            (keys.jwks(now), keys.current().signer.kid()),
            (jwks, Some(kid.as_str()))
        );
    }

    #[actix_web::test]
    async fn a_private_key_opens_only_in_its_own_row() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let now = Clock::fixed().now();
        load(&db, EdDsa, now).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        let keys = SigningKeyRows(&mut tx).all().await.unwrap().0;
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
        let refused = load(&db, EdDsa, now).await.unwrap_err();
        assert!(
            matches!(refused, KeyError::Seal(SealError::NotDecrypted)),
            "{refused}"
        );
    }

    #[actix_web::test]
    async fn a_shared_secret_does_not_expire() {
        let secret = SharedSecret::new("AbCdEfGhIjKlMnOpQrStUvWxYz0123456789".into()).unwrap();
        let keys = SigningKeys::of_shared_secret(&secret);
        keys.remove_expired(DateTime::<Utc>::MAX_UTC).await.unwrap();
        assert!(keys.verification().is_loaded());
    }

    #[actix_web::test]
    async fn a_change_of_the_algorithm_is_refused_while_eight_retiring_keys_are_published() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let now = Clock::fixed().now();
        for change in 0..=MAX_RETIRING {
            let algorithm = if change % 2 == 0 { EdDsa } else { Es256 };
            load(&db, algorithm, now).await.unwrap();
        }

        let end = retiring_until(now, LIFETIME);
        let refused = load(&db, Es256, now).await.unwrap_err();
        let KeyError::TooManyRetiring { active, until } = refused else {
            panic!("{refused}")
        };
        assert_eq!((active, until), (EdDsa, end));

        let kept = load(&db, EdDsa, now).await.unwrap();
        assert_eq!(kept.current().published.kids().count(), MAX_RETIRING + 2);
        let changed = load(&db, Es256, end).await.unwrap();
        assert_eq!(
            changed.current().published.kids().count(),
            3,
            "the retiring keys were deleted"
        );
    }
}
