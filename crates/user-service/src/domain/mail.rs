//! Mails: their kinds, how long the tokens in their links live, how many are sent, and when a failed mail is tried again.

use std::time::Duration;

use auth::Backoff;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// How long sent mails stay in the outbox, to be counted.
pub(crate) const SENT_WINDOW: TimeDelta = TimeDelta::hours(1);
/// The maximum number of mails of one kind for one user within the [window](MailKind::window) of the kind.
pub(crate) const MAX_SENT: i64 = 5;
/// The maximum number of mails to one user whose links of one purpose work. The links of a newer mail replace those of the oldest one.
pub(crate) const MAX_LINKED_MAILS: i64 = MAX_SENT;
/// How long a mail that can't be delivered is tried again.
pub(crate) const GIVEN_UP_AFTER: TimeDelta = TimeDelta::days(3);
/// A mail is given up when it was tried this often and is refused permanently. The delays between the attempts add up to about an hour.
pub(crate) const MAX_REFUSED_ATTEMPTS: i64 = 7;
/// The delay of a mail that was requested again, and of one at which the server ended the session. A flood of requests causes at most one
/// attempt in this time.
pub(crate) const SHORT_DELAY: TimeDelta = TimeDelta::minutes(1);
/// How long a worker has a mail to itself, unless it renews the lease. Another worker sends the mail this long after a crash.
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
    /// A notice: an account of a provider was linked. It can now be used to log in.
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

    /// The period in which a user gets at most [`MAX_SENT`] such mails. Not longer than a link in them works: a stranger who uses up the
    /// limit leaves the user a working link.
    pub(crate) fn window(self) -> TimeDelta {
        self.purpose()
            .map_or(SENT_WINDOW, |purpose| purpose.lifetime().min(SENT_WINDOW))
    }
}

impl TokenPurpose {
    /// How long a token lives after its mail was sent.
    pub(crate) fn lifetime(self) -> TimeDelta {
        match self {
            Self::VerifyEmail => TimeDelta::hours(24),
            Self::ResetPassword => TimeDelta::minutes(30),
        }
    }
}

/// When a mail is tried again after this number of failed attempts. `None` if it is given up. `is_permanent`: the server refused it
/// permanently (5xx) at the last attempt.
pub(crate) fn next_attempt_at(
    created_at: DateTime<Utc>,
    attempts: i64,
    is_permanent: bool,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    if is_permanent && attempts >= MAX_REFUSED_ATTEMPTS {
        return None;
    }
    let delay = RETRY.delay(u32::try_from(attempts).unwrap_or(u32::MAX));
    let next = now + TimeDelta::from_std(delay).unwrap_or_default();
    (now - created_at < GIVEN_UP_AFTER).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of attempts, the time from the first to the last, and the last delay.
    fn attempts(is_permanent: bool) -> (i64, TimeDelta, TimeDelta) {
        let start = DateTime::UNIX_EPOCH;
        let (mut now, mut attempts, mut last_delay) = (start, 1, TimeDelta::zero());
        while let Some(next) = next_attempt_at(start, attempts, is_permanent, now) {
            attempts += 1;
            last_delay = next - now;
            now = next;
        }
        (attempts, now - start, last_delay)
    }

    #[test]
    fn delays_grow_up_to_two_hours_and_end_after_three_days() {
        let (attempts, total, last_delay) = attempts(false);
        assert!((40..=80).contains(&attempts), "{attempts} attempts");
        assert!(last_delay <= TimeDelta::hours(2) && last_delay >= TimeDelta::hours(1));
        assert!(total >= GIVEN_UP_AFTER);
        let start = DateTime::UNIX_EPOCH;
        let first = next_attempt_at(start, 1, false, start).unwrap() - start;
        assert!(first >= TimeDelta::seconds(30) && first <= TimeDelta::minutes(1));
    }

    #[test]
    fn a_permanent_refusal_is_tried_again_for_about_an_hour() {
        let (attempts, total, _) = attempts(true);
        assert_eq!(attempts, MAX_REFUSED_ATTEMPTS);
        assert!(
            total >= TimeDelta::minutes(31) && total <= TimeDelta::minutes(64),
            "{total}"
        );
        // A long outage before the first attempt does not count.
        let (start, late) = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + TimeDelta::days(2));
        assert!(next_attempt_at(start, 1, true, late).is_some());
    }
}
