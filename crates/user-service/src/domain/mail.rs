//! Mails: their kinds, how long the tokens in their links live, how many are sent, and when a failed mail is tried again.

use std::time::Duration;

use auth::Backoff;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// How long sent mails stay in the outbox, to be counted.
pub(crate) const SENT_WINDOW: TimeDelta = TimeDelta::hours(1);
/// The maximum number of mails of one kind for one user within the [window](TokenPurpose::window) of their links.
pub(crate) const MAX_SENT: i64 = 5;
/// The maximum number of valid tokens of one purpose for one user. A newer token replaces the oldest one.
pub(crate) const MAX_TOKENS: i64 = MAX_SENT;
/// How long a mail that can't be delivered is tried again.
pub(crate) const GIVEN_UP_AFTER: TimeDelta = TimeDelta::days(3);
/// How long a worker may take to send a mail. Another worker can then send it.
pub(crate) const MAIL_LEASE: TimeDelta = TimeDelta::minutes(2);

/// The delays after failed attempts to deliver one mail.
const RETRY: Backoff = Backoff::new(Duration::from_secs(60), Duration::from_secs(2 * 60 * 60));

/// The kind of a mail: its subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub(crate) enum MailKind {
    /// A link that verifies the email address.
    VerifyEmail,
    /// A link that sets a new password.
    ResetPassword,
    /// A notice: the password was changed.
    PasswordChanged,
    /// A notice: there was a login from a network that was not known.
    NewSignIn,
    /// A notice: an account of a provider was linked, with which one can log in from now on.
    IdentityLinked,
}

/// The purpose of the token in a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub(crate) enum TokenPurpose {
    /// Verifying the email address.
    VerifyEmail,
    /// Setting a new password.
    ResetPassword,
}

/// The act that caused a mail: when, and from where.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Cause {
    pub at: DateTime<Utc>,
    /// The client's IP address, if known.
    pub ip: Option<String>,
    pub user_agent: Option<String>,
}

impl MailKind {
    /// The name in metrics and logs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::PasswordChanged => "password_changed",
            Self::NewSignIn => "new_sign_in",
            Self::IdentityLinked => "identity_linked",
        }
    }

    /// The purpose of the token in the mail. Notices have none.
    pub(crate) fn purpose(self) -> Option<TokenPurpose> {
        match self {
            Self::VerifyEmail => Some(TokenPurpose::VerifyEmail),
            Self::ResetPassword => Some(TokenPurpose::ResetPassword),
            Self::PasswordChanged | Self::NewSignIn | Self::IdentityLinked => None,
        }
    }
}

impl TokenPurpose {
    /// How long a user can be sent only [`MAX_SENT`] mails with such links. It is not longer than the links work, so that a stranger who
    /// requests all of them leaves the user at least one that works.
    pub(crate) fn window(self) -> TimeDelta {
        self.lifetime().min(SENT_WINDOW)
    }

    /// How long a token lives after its mail was sent.
    pub(crate) fn lifetime(self) -> TimeDelta {
        match self {
            Self::VerifyEmail => TimeDelta::hours(24),
            Self::ResetPassword => TimeDelta::minutes(30),
        }
    }
}

/// When a mail is tried again after this number of failed attempts. `None` if the mail is too old.
pub(crate) fn next_attempt_at(
    created_at: DateTime<Utc>,
    attempts: i64,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let delay = RETRY.delay(u32::try_from(attempts).unwrap_or(u32::MAX));
    let next = now + TimeDelta::from_std(delay).unwrap_or_default();
    (now - created_at < GIVEN_UP_AFTER).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_up_to_two_hours_and_end_after_three_days() {
        let start = DateTime::UNIX_EPOCH;
        let mut now = start;
        let mut attempts = 0;
        let mut last_delay = TimeDelta::zero();
        while let Some(next) = next_attempt_at(start, attempts + 1, now) {
            attempts += 1;
            last_delay = next - now;
            now = next;
        }
        assert!((40..=80).contains(&attempts), "{attempts} attempts");
        assert!(last_delay <= TimeDelta::hours(2) && last_delay >= TimeDelta::hours(1));
        assert!(now - start >= GIVEN_UP_AFTER);
        let first = next_attempt_at(start, 1, start).unwrap() - start;
        assert!(first >= TimeDelta::seconds(30) && first <= TimeDelta::minutes(1));
    }
}
