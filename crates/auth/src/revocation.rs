//! One revocation: what user-service stores and publishes, and what verifiers apply.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The record that all tokens of a session, all older tokens of a user, or all tokens of a signing key are revoked. In JSON it has
/// the member `kind`: `session`, `user` or `key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Revocation {
    /// A session ended: all of its tokens are revoked.
    Session {
        /// The session's id (`sid`).
        id: Uuid,
        /// The time from which no verifier accepts the session's last token, in Unix seconds: the token's `exp` plus
        /// [`MAX_LEEWAY`](crate::MAX_LEEWAY). The set may drop the entry then.
        expires_at: i64,
    },
    /// A user's roles changed, or all of the user's sessions were ended at once: tokens of an earlier epoch are revoked.
    User {
        /// The user's id (`sub`).
        id: Uuid,
        /// The first epoch whose tokens are valid.
        epoch: i64,
        /// The time from which no verifier accepts the last token of an earlier epoch, in Unix seconds, calculated as for a
        /// session.
        expires_at: i64,
    },
    /// A signing key was compromised: all tokens that it signed are revoked, those of services too.
    Key {
        /// The key's id (`kid`).
        kid: String,
        /// The time until which the set must refuse the key, in Unix seconds. By then no verifier may hold the key any more.
        expires_at: i64,
    },
}

impl Revocation {
    /// The time from which the revocation has no effect, in Unix seconds.
    #[must_use]
    pub fn expires_at(&self) -> i64 {
        match self {
            Self::Session { expires_at, .. }
            | Self::User { expires_at, .. }
            | Self::Key { expires_at, .. } => *expires_at,
        }
    }
}
