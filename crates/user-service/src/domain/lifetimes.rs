//! How long tokens and sessions last.

use chrono::{DateTime, TimeDelta, Utc};

/// How long a verifier may accept a token after the token expired: the maximum that `auth` permits.
pub(crate) const MAX_LEEWAY: TimeDelta = auth::MAX_LEEWAY;

/// How far the clock of a verifier may be behind that of this service. A revocation is kept for this time after it has expired here,
/// so that such a verifier learns it too.
pub(crate) const MAX_CLOCK_DIFFERENCE: TimeDelta = TimeDelta::minutes(5);

/// How long tokens and sessions last.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// The lifetime of an access token (`ACCESS_TOKEN_TTL`). Defaults to 15 minutes.
    pub access: TimeDelta,
    /// The lifetime of a refresh token that is not used (`REFRESH_TOKEN_TTL`). Defaults to 7 days.
    pub refresh: TimeDelta,
    /// The lifetime of a session, even if it is refreshed (`SESSION_TTL`). Defaults to 30 days.
    pub session: TimeDelta,
    /// How long after its rotation a refresh token still returns the same successor, unless that was used (`REFRESH_GRACE`).
    /// Defaults to 10 seconds.
    pub grace: TimeDelta,
}

impl Lifetimes {
    /// No access token that results from a login or refresh at `now` expires later than this. The last one is issued when the
    /// client presents the same refresh token again at the end of the grace period.
    pub(crate) fn latest_access_expiry(&self, now: DateTime<Utc>) -> DateTime<Utc> {
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
