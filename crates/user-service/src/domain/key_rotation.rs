//! The rules by which signing keys are rotated: when, and how long old keys are published or revoked.

use chrono::{DateTime, TimeDelta, Utc};

use super::MAX_LEEWAY;
use super::rotation_request::RotationRequest;
use super::signing_key::{KeyState, SigningKey};

/// How long a key signs before a rotation is requested.
const ACTIVE_LIFETIME: TimeDelta = TimeDelta::days(30);
/// How long a key stays published in addition to the lifetime of its tokens. Another replica signs with the key until it has loaded
/// the new keys, which it does at least each minute.
const RELOAD_MARGIN: TimeDelta = TimeDelta::minutes(5);
/// How long a key is revoked after an emergency rotation. Its tokens expire earlier, but an attacker who has the key can sign new
/// ones, and a verifier that was cut off for some time still holds the key. It gets the revocation when it connects again, before it
/// has fetched the keys.
const KEY_REVOCATION_LIFETIME: TimeDelta = TimeDelta::hours(24);
/// How long the announcement of a change is kept. A verifier that connects later fetches the keys anyway.
const ANNOUNCEMENT_LIFETIME: TimeDelta = TimeDelta::hours(1);
/// While there are this many retiring keys, no further key may retire, except in an emergency. Verifiers refuse a key set of more
/// than 32 keys, so without a limit frequent changes would make every token invalid.
pub(crate) const MAX_RETIRING: usize = 8;

/// The time until which a key that retires now is published: then its last token has expired everywhere.
pub(crate) fn retiring_until(now: DateTime<Utc>, token_lifetime: TimeDelta) -> DateTime<Utc> {
    now + token_lifetime + MAX_LEEWAY + RELOAD_MARGIN
}

/// Until when a key is revoked that is discarded now.
pub(crate) fn key_revoked_until(now: DateTime<Utc>) -> DateTime<Utc> {
    now + KEY_REVOCATION_LIFETIME
}

/// Until when a change of the keys is announced.
pub(crate) fn announced_until(now: DateTime<Utc>) -> DateTime<Utc> {
    now + ANNOUNCEMENT_LIFETIME
}

/// All stored signing keys.
#[derive(Clone, Debug)]
pub(crate) struct StoredKeys(pub Vec<SigningKey>);

impl StoredKeys {
    /// The key that signs.
    pub(crate) fn active(&self) -> Option<&SigningKey> {
        self.in_state(KeyState::Active).next()
    }

    /// The key that will sign.
    pub(crate) fn next(&self) -> Option<&SigningKey> {
        self.in_state(KeyState::Next).next()
    }

    /// The requested rotation, if one waits.
    pub(crate) fn request(&self) -> Option<RotationRequest> {
        self.next()?.rotation_request()
    }

    /// Whether the active key has signed for its whole lifetime.
    pub(crate) fn is_rotation_due(&self, now: DateTime<Utc>) -> bool {
        let since = |key: &SigningKey| key.activated_at.unwrap_or(key.created_at);
        self.active()
            .is_some_and(|active| now - since(active) >= ACTIVE_LIFETIME)
    }

    /// When the next key may retire, if there are too many retiring keys now.
    pub(crate) fn full_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let ends = || self.in_state(KeyState::Retiring).filter_map(|key| key.not_after);
        let is_full = ends().filter(|end| now < *end).count() >= MAX_RETIRING;
        ends().filter(|end| is_full && now < *end).min()
    }

    fn in_state(&self, state: KeyState) -> impl Iterator<Item = &SigningKey> {
        self.0.iter().filter(move |key| key.state == state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SigningAlgorithm;

    fn key(state: KeyState) -> SigningKey {
        SigningKey {
            kid: format!("{state:?}"),
            algorithm: SigningAlgorithm::EdDsa,
            state,
            public_key: Vec::new(),
            sealed_private: Vec::new(),
            created_at: DateTime::UNIX_EPOCH,
            activated_at: None,
            not_after: None,
            rotation_requested_at: None,
            rotation_reason: None,
            rotation_requested_by: None,
        }
    }

    #[test]
    fn a_rotation_is_due_when_the_key_has_signed_for_thirty_days() {
        let start = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let keys = StoredKeys(vec![SigningKey {
            activated_at: Some(start),
            ..key(KeyState::Active)
        }]);
        let due = start + TimeDelta::days(30);
        assert!(!keys.is_rotation_due(due - TimeDelta::microseconds(1)));
        assert!(keys.is_rotation_due(due));
        assert!(!StoredKeys(vec![key(KeyState::Next)]).is_rotation_due(due));
    }

    #[test]
    fn a_key_may_retire_while_fewer_than_eight_are_retiring() {
        let now = DateTime::UNIX_EPOCH;
        let retiring = |minutes| SigningKey {
            not_after: Some(now + TimeDelta::minutes(minutes)),
            ..key(KeyState::Retiring)
        };
        let mut keys = StoredKeys(vec![key(KeyState::Active), retiring(0)]);
        keys.0.extend((2..9).map(retiring));
        assert_eq!(keys.full_until(now), None, "one of the eight has ended");
        keys.0.push(retiring(1));
        assert_eq!(keys.full_until(now), Some(now + TimeDelta::minutes(1)));
        assert_eq!(keys.full_until(now + TimeDelta::minutes(1)), None);
    }
}
