//! A requested rotation of the signing keys, and how long it waits.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::known_verifier::Laggards;

/// How long a rotation waits for verifiers: twice the default interval at which they fetch the key set, so that a verifier that
/// works holds the next key by then, even if it misses the announcement.
const DEADLINE: TimeDelta = TimeDelta::minutes(10);

/// Why keys are rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub(crate) enum RotationReason {
    /// The active key is 30 days old.
    Scheduled,
    /// An admin requested it.
    ByHand,
}

impl fmt::Display for RotationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheduled => "scheduled",
            Self::ByHand => "by hand",
        })
    }
}

/// A requested rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RotationRequest {
    pub at: DateTime<Utc>,
    pub reason: RotationReason,
    /// The admin who requested it.
    pub by: Option<Uuid>,
}

impl RotationRequest {
    pub(crate) fn scheduled(at: DateTime<Utc>) -> Self {
        Self {
            at,
            reason: RotationReason::Scheduled,
            by: None,
        }
    }

    pub(crate) fn by_hand(at: DateTime<Utc>, admin: Uuid) -> Self {
        Self {
            at,
            reason: RotationReason::ByHand,
            by: Some(admin),
        }
    }

    /// Whether the rotation must wait for these verifiers, which don't hold the next key.
    pub(crate) fn must_wait(&self, laggards: &Laggards, now: DateTime<Utc>) -> bool {
        !laggards.is_empty() && now < self.at + DEADLINE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{KeyIds, KnownVerifier};

    fn verifier(instance: u128, kids: &[&str]) -> KnownVerifier {
        KnownVerifier {
            service: "order-service".to_owned(),
            instance: Uuid::from_u128(instance),
            kids: KeyIds::of(kids.iter().copied()),
        }
    }

    #[test]
    fn a_rotation_waits_for_verifiers_until_its_deadline() {
        let now = DateTime::UNIX_EPOCH;
        let request = RotationRequest::scheduled(now);
        let none = Laggards::among(vec![verifier(1, &["a", "next"]), verifier(2, &["next"])], "next");
        assert!(none.is_empty() && !request.must_wait(&none, now));

        let some = Laggards::among(
            vec![
                verifier(1, &["next"]),
                verifier(2, &[]),
                verifier(3, &["nex", "next2"]),
            ],
            "next",
        );
        let deadline = now + TimeDelta::minutes(10);
        assert!(request.must_wait(&some, deadline - TimeDelta::microseconds(1)));
        assert!(!request.must_wait(&some, deadline));
        assert_eq!(
            some.to_string(),
            "order-service 00000000-0000-0000-0000-000000000002, order-service 00000000-0000-0000-0000-000000000003"
        );
        let many = Laggards::among((0..21).map(|instance| verifier(instance, &[])).collect(), "next");
        assert!(many.to_string().ends_with("0013 and 1 more"), "{many}");
    }
}
