//! Changing the keys. Every change is one transaction, which locks the keys for all replicas, stores the new states, and announces
//! them on the revocation feed.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::KeyRotation;
use crate::admin;
use crate::context::RequestContext;
use crate::domain::{
    Entry, Event, KeyState, Laggards, RotationRequest, SigningKey, StoredKeys, announced_until,
    key_revoked_until, retiring_until, verifiers_seen_since,
};
use crate::error::UserError;
use crate::sessions::revocation::RevokingTx;
use crate::store::{AuditLogRows, SigningKeyRows, VerifierRows};
use crate::tokens::KeyError;

/// A rotation that was done, with the verifiers that did not hold the new key.
struct Rotated(Laggards);

impl KeyRotation {
    /// Requests a rotation for an admin, and completes it if it need not wait. If a rotation is requested already, that one counts.
    pub(crate) async fn request(&self, admin: Uuid, context: &RequestContext) -> Result<(), UserError> {
        self.refresh_keys().await;
        let work = async |tx: &mut RevokingTx<'_>| {
            let keys = lock(tx).await?;
            admin::require_admin(tx, admin).await?;
            let now = context.time();
            let request = match (keys.request(), keys.full_until(now)) {
                (Some(request), _) => request,
                (None, Some(until)) => return Err(UserError::too_many_keys(until, now)),
                (None, None) => add_request(tx, RotationRequest::by_hand(now, admin)).await?,
            };
            Ok(self.complete(tx, &keys, &request, context).await?)
        };
        let rotated = self.sessions.transaction(&self.db, work).await?;
        self.committed(rotated).await;
        Ok(())
    }

    /// Requests a rotation if the active key is old, and completes a requested one if it need not wait.
    pub(super) async fn rotate_if_due(&self, context: &RequestContext) -> Result<(), KeyError> {
        self.refresh_keys().await;
        let work = async |tx: &mut RevokingTx<'_>| {
            // Read again, because another replica may have been faster.
            let keys = lock(tx).await?;
            let now = context.time();
            let request = match keys.request() {
                Some(request) => request,
                None if keys.is_rotation_due(now) => add_request(tx, RotationRequest::scheduled(now)).await?,
                None => return Ok(None),
            };
            self.complete(tx, &keys, &request, context).await
        };
        let rotated = self.sessions.transaction(&self.db, work).await?;
        self.committed(rotated).await;
        Ok(())
    }

    /// Signs with the next key at once, and discards the active and all retiring keys: no verifier on the feed accepts their tokens
    /// any more.
    pub(crate) async fn rotate_in_emergency(
        &self,
        admin: Uuid,
        context: &RequestContext,
    ) -> Result<(), UserError> {
        let work = async |tx: &mut RevokingTx<'_>| {
            let keys = lock(tx).await?;
            admin::require_admin(tx, admin).await?;
            let rotated = self.discard_keys(tx, &keys, admin, context).await?;
            Ok::<_, UserError>(rotated)
        };
        let rotated = self.sessions.transaction(&self.db, work).await?;
        self.committed(Some(rotated)).await;
        Ok(())
    }

    /// Rotates, unless a verifier does not hold the next key yet, or too many keys are retiring.
    async fn complete(
        &self,
        tx: &mut RevokingTx<'_>,
        keys: &StoredKeys,
        request: &RotationRequest,
        context: &RequestContext,
    ) -> Result<Option<Rotated>, KeyError> {
        let now = context.time();
        let (active, next) = (active(keys)?, next(keys)?);
        self.see_verifiers(tx, now).await?;
        let verifiers = VerifierRows(tx).seen_since(verifiers_seen_since(now)).await?;
        let laggards = Laggards::among(verifiers, &next.kid);
        if request.must_wait(&laggards, now) || keys.full_until(now).is_some() {
            return Ok(None);
        }
        self.keys().check_decryption(next)?;

        let not_after = retiring_until(now, self.sessions.lifetimes.access);
        SigningKeyRows(tx).retire_active(not_after).await?;
        self.activate(tx, next, now).await?;
        let mut detail = format!("{}: {} → {}", request.reason, active.kid, next.kid);
        if !laggards.is_empty() {
            detail = format!("{detail}; not held by {laggards}");
        }
        add_entry(tx, request.by, &detail, context).await?;
        Ok(Some(Rotated(laggards)))
    }

    async fn discard_keys(
        &self,
        tx: &mut RevokingTx<'_>,
        keys: &StoredKeys,
        admin: Uuid,
        context: &RequestContext,
    ) -> Result<Rotated, KeyError> {
        let now = context.time();
        let next = &self.usable_next(tx, keys, now).await?;
        let discarded = SigningKeyRows(tx).delete_active_and_retiring().await?;
        for kid in &discarded {
            tx.revoke_key(kid.clone(), key_revoked_until(now).timestamp());
        }
        self.activate(tx, next, now).await?;
        let detail = format!("emergency: {} → {}", discarded.join(", "), next.kid);
        add_entry(tx, Some(admin), &detail, context).await?;
        Ok(Rotated(Laggards::default()))
    }

    /// The next key, or a new one in its place if it can't be decrypted: an emergency can't wait for a repair.
    async fn usable_next(
        &self,
        tx: &mut RevokingTx<'_>,
        keys: &StoredKeys,
        now: DateTime<Utc>,
    ) -> Result<SigningKey, KeyError> {
        let stored = next(keys)?;
        let Err(error) = self.keys().check_decryption(stored) else {
            return Ok(stored.clone());
        };
        tracing::error!(%error, kid = stored.kid, "the next signing key can't be decrypted; a new one replaces it");
        let new = self.keys().create_next(stored.algorithm, now)?;
        SigningKeyRows(tx).delete(&stored.kid).await?;
        SigningKeyRows(tx).add_unless_state_taken(&new).await?;
        Ok(new)
    }

    /// Makes the next key active, adds another next key of the same algorithm, and announces both.
    async fn activate(
        &self,
        tx: &mut RevokingTx<'_>,
        next: &SigningKey,
        now: DateTime<Utc>,
    ) -> Result<(), KeyError> {
        SigningKeyRows(tx).activate_next(now).await?;
        let new = self.keys().create_next(next.algorithm, now)?;
        SigningKeyRows(tx).add_unless_state_taken(&new).await?;
        tx.announce_keys(announced_until(now).timestamp());
        Ok(())
    }

    /// Signs with the new key, after the transaction was committed.
    async fn committed(&self, rotated: Option<Rotated>) {
        let Some(Rotated(laggards)) = rotated else { return };
        self.refresh_keys().await;
        self.record_verifiers().await;
        if !laggards.is_empty() {
            tracing::warn!(
                verifiers = %laggards,
                "these verifiers have not said that they hold the new signing key; they may refuse its tokens until they fetch it"
            );
        }
    }
}

/// Locks the keys until the transaction ends, and reads them.
async fn lock(tx: &mut RevokingTx<'_>) -> Result<StoredKeys, sqlx::Error> {
    SigningKeyRows(tx).lock().await?;
    SigningKeyRows(tx).all().await
}

async fn add_request(
    tx: &mut RevokingTx<'_>,
    request: RotationRequest,
) -> Result<RotationRequest, sqlx::Error> {
    SigningKeyRows(tx).request_rotation(&request).await?;
    Ok(request)
}

async fn add_entry(
    tx: &mut RevokingTx<'_>,
    admin: Option<Uuid>,
    detail: &str,
    context: &RequestContext,
) -> Result<(), sqlx::Error> {
    let entry = Entry::without_subject(Event::KeysRotated, admin).detail(detail.to_owned());
    AuditLogRows(tx).add(&entry, context).await
}

fn active(keys: &StoredKeys) -> Result<&SigningKey, KeyError> {
    keys.active().ok_or(KeyError::Missing(KeyState::Active))
}

fn next(keys: &StoredKeys) -> Result<&SigningKey, KeyError> {
    keys.next().ok_or(KeyError::Missing(KeyState::Next))
}
