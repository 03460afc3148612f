//! The verifiers that follow the revocation feed, and the keys that they hold.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// A verifier that was not seen for this time does not count. Verifiers are seen each minute.
const VERIFIER_LIFETIME: TimeDelta = TimeDelta::minutes(3);

/// Verifiers that were last seen before this time don't count.
pub(crate) fn verifiers_seen_since(now: DateTime<Utc>) -> DateTime<Utc> {
    now - VERIFIER_LIFETIME
}

/// The ids of the keys that a verifier holds, separated by line feeds. No id has one.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::Type)]
#[sqlx(transparent)]
pub(crate) struct KeyIds(String);

impl KeyIds {
    pub(crate) fn of<'k>(kids: impl IntoIterator<Item = &'k str>) -> Self {
        Self(kids.into_iter().collect::<Vec<_>>().join("\n"))
    }

    fn contains(&self, kid: &str) -> bool {
        self.0.split('\n').any(|held| held == kid)
    }
}

/// A verifier that follows the revocation feed.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct KnownVerifier {
    pub service: String,
    pub instance: Uuid,
    /// The keys that it holds.
    pub kids: KeyIds,
}

/// The verifiers that don't hold the next key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Laggards(Vec<KnownVerifier>);

impl Laggards {
    /// The verifiers that don't hold this key.
    pub(crate) fn among(mut verifiers: Vec<KnownVerifier>, kid: &str) -> Self {
        verifiers.retain(|verifier| !verifier.kids.contains(kid));
        Self(verifiers)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Laggards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        for (index, verifier) in self.0.iter().take(SHOWN).enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{} {}", verifier.service, verifier.instance)?;
        }
        match self.0.len().checked_sub(SHOWN) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, " and {more} more"),
        }
    }
}
