//! The state of a mail after an attempt that did not send it.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::send_error::SendError;
use crate::domain::{GIVEN_UP_AFTER, SHORT_DELAY, next_attempt_at};
use crate::store::LeasedMail;

/// The state of a mail after an attempt that did not send it.
#[derive(Clone, Copy, Debug)]
pub(super) enum AfterFailure {
    /// It is due as before.
    Release,
    /// It is due at this time. `attempts` have failed so far.
    Retry { at: DateTime<Utc>, attempts: i64 },
    /// It is deleted.
    GiveUp,
}

impl AfterFailure {
    pub(super) fn of(mail: &LeasedMail, error: &SendError, now: DateTime<Utc>) -> Self {
        let attempts = mail.attempts + 1;
        let is_permanent = matches!(error, SendError::RejectedPermanently(_));
        match error {
            SendError::Unreachable(_) | SendError::Stopped => Self::Release,
            SendError::Closed(_) if now - mail.created_at >= GIVEN_UP_AFTER => Self::GiveUp,
            // This attempt does not count. But other mails are sent first, because perhaps this mail is the reason.
            SendError::Closed(_) => Self::Retry {
                at: now + SHORT_DELAY,
                attempts: mail.attempts,
            },
            SendError::Interrupted(_)
            | SendError::Unanswered(_)
            | SendError::Rejected(_)
            | SendError::RejectedPermanently(_) => {
                let next = next_attempt_at(mail.created_at, attempts, is_permanent, now);
                next.map_or(Self::GiveUp, |at| Self::Retry { at, attempts })
            }
        }
    }

    pub(super) fn log(self, mail: &LeasedMail, user_id: Uuid, error: &SendError) {
        let kind = mail.kind.name();
        match self {
            // The worker logs the outage.
            Self::Release => {}
            Self::Retry { at, attempts } => tracing::warn!(
                mail.id = %mail.id, mail.kind = kind, user.id = %user_id, attempts, next = %at, reason = %error,
                "a mail was not accepted; it is tried again"
            ),
            Self::GiveUp => tracing::error!(
                mail.id = %mail.id, mail.kind = kind, user.id = %user_id, attempts = mail.attempts + 1,
                reason = %error, "a mail was not accepted, and is given up"
            ),
        }
    }
}
