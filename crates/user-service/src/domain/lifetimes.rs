//! How long tokens and sessions last.

use chrono::{DateTime, TimeDelta, Utc};

/// How long after its expiry a verifier may still accept a token: the bound that `auth` sets to every verifier.
pub(crate) const LEEWAY: TimeDelta = auth::MAX_LEEWAY;

/// How long tokens and sessions last.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// Of an access token (`ACCESS_TOKEN_TTL`). Defaults to 15 minutes.
    pub access: TimeDelta,
    /// Of a refresh token that is not used (`REFRESH_TOKEN_TTL`). Defaults to 7 days.
    pub refresh: TimeDelta,
    /// Of a session, even if it is refreshed (`SESSION_TTL`). Defaults to 30 days.
    pub session: TimeDelta,
    /// How long after its rotation a refresh token still returns the same successor (`REFRESH_GRACE`). Defaults to 10 seconds.
    pub grace: TimeDelta,
}

impl Lifetimes {
    /// When the last access token expires that this refresh or login can lead to: one issued now, or one issued to a client that
    /// repeats the same refresh token at the end of the grace period.
    pub(crate) fn access_expires_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now + self.access + self.grace
    }
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            access: TimeDelta::minutes(15),
            refresh: TimeDelta::days(7),
            session: TimeDelta::days(30),
            grace: TimeDelta::seconds(10),
        }
    }
}
