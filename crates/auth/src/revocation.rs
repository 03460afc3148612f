//! One entry of the revocation set.

use uuid::Uuid;

/// The record that all tokens of a session, or all older tokens of a user, are revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

impl Revocation {
    pub(crate) fn expires_at(self) -> i64 {
        match self {
            Self::Session { expires_at, .. } | Self::User { expires_at, .. } => expires_at,
        }
    }
}
