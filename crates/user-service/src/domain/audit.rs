//! The audit log: one record for each event that matters for security.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tracing::field;
use utoipa::ToSchema;
use uuid::Uuid;

use super::login_method::LoginMethod;

/// An action that succeeded or failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub(crate) enum Event {
    /// A user registered.
    Registered,
    /// The service made a user the first admin while it started.
    FirstAdmin,
    /// A user logged in.
    Login,
    /// A failed login used up the account's allowance for the client's network, or for all unknown networks: further attempts
    /// from there are refused for a while.
    LoginThrottled,
    /// A user ended their current session.
    Logout,
    /// A user ended all their sessions.
    LogoutAll,
    /// A user ended one of their sessions.
    SessionEnded,
    /// A client presented a replaced refresh token after the grace period, or after its successor was used. This ended the session.
    RefreshReplayed,
    /// A user changed their password.
    PasswordChanged,
    /// A user set a new password with the link in a mail.
    PasswordReset,
    /// A user verified their email address with the link in a mail.
    EmailVerified,
    /// An admin changed a user's name or roles, or disabled or enabled the user.
    UserChanged,
    /// An admin deleted a user.
    UserDeleted,
    /// An admin ended all sessions of a user.
    UserLoggedOut,
    /// A service revoked a user's token.
    TokenRevoked,
    /// A user linked an account of a provider, or logged in with one for the first time.
    IdentityLinked,
    /// A user removed the link to an account of a provider.
    IdentityUnlinked,
    /// The owner of an email address, proved by a provider or by a link in a mail, got the account that had the address unverified. All
    /// earlier ways to log in to it were removed.
    AccountReclaimed,
    /// The signing keys were rotated: by an admin, or without an actor on schedule.
    KeysRotated,
}

impl fmt::Display for Event {
    /// The name, as in the audit log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// How the action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub(crate) enum Outcome {
    Success,
    Failure,
}

impl fmt::Display for Outcome {
    /// `success` or `failure`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// Where an action came from, and when.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub at: DateTime<Utc>,
    /// The client's IP address, if known.
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    /// The id of the request in the logs. `None` for an action of the service itself.
    pub request_id: Option<String>,
}

/// A record to add.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub event: Event,
    pub outcome: Outcome,
    /// The user who acted, if known.
    pub actor: Option<Uuid>,
    /// The user who was affected, if known.
    pub subject: Option<Uuid>,
    /// Further information; never user input.
    pub detail: Option<String>,
}

impl Entry {
    /// A successful action of a user on their own account.
    pub(crate) fn of(event: Event, user: Uuid) -> Self {
        Self {
            event,
            outcome: Outcome::Success,
            actor: Some(user),
            subject: Some(user),
            detail: None,
        }
    }

    /// A successful action of one user on another.
    pub(crate) fn by(event: Event, actor: Uuid, subject: Uuid) -> Self {
        Self {
            subject: Some(subject),
            ..Self::of(event, actor)
        }
    }

    /// A successful action of a service on a user's account.
    pub(crate) fn by_service(event: Event, name: &str, subject: Uuid) -> Self {
        Self {
            actor: None,
            ..Self::of(event, subject).detail(format!("by {name}"))
        }
    }

    /// A successful action that affects no single user.
    pub(crate) fn without_subject(event: Event, actor: Option<Uuid>) -> Self {
        Self {
            event,
            outcome: Outcome::Success,
            actor,
            subject: None,
            detail: None,
        }
    }

    /// A failed action by an actor who was not identified; `subject` is the affected user, if known.
    pub(crate) fn failed_by_unknown_actor(event: Event, subject: Option<Uuid>, detail: &str) -> Self {
        let entry = Self {
            event,
            outcome: Outcome::Failure,
            actor: None,
            subject,
            detail: None,
        };
        entry.with_failure(detail)
    }

    /// The same action, by a user of a provider. Its name becomes the detail.
    pub(crate) fn with_method(self, method: LoginMethod<'_>) -> Self {
        match method {
            LoginMethod::Password => self,
            LoginMethod::Provider(name) => self.detail(format!("with {name}")),
        }
    }

    /// The same action as a failure. `why` becomes the detail.
    pub(crate) fn with_failure(self, why: &str) -> Self {
        Self {
            outcome: Outcome::Failure,
            detail: Some(why.to_owned()),
            ..self
        }
    }

    /// Writes the log line of this event. Details are never user input, so they may be logged.
    pub(crate) fn log(&self, origin: &Origin) {
        tracing::info!(
            event = %self.event,
            outcome = %self.outcome,
            actor.id = self.actor.map(field::display),
            subject.id = self.subject.map(field::display),
            client.address = origin.ip,
            request.id = origin.request_id,
            detail = self.detail,
            "security event"
        );
    }

    /// The same action with this detail.
    pub(crate) fn detail(self, detail: String) -> Self {
        Self {
            detail: Some(detail),
            ..self
        }
    }
}

/// A record as admins read it.
#[derive(Debug, Serialize, sqlx::FromRow, ToSchema)]
pub(crate) struct AuditRecord {
    /// The id of the record.
    #[schema(example = "019b76da-a800-7f64-b5e9-4a2d8c7f1e44")]
    pub id: Uuid,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// The event.
    pub event: Event,
    /// The outcome.
    pub outcome: Outcome,
    /// The user who acted, if known.
    #[schema(required = true, example = "019b76da-a800-7a10-8c7e-2f0d4b6e1a01")]
    pub actor_id: Option<Uuid>,
    /// The user who was affected, if known. The user may have been deleted since.
    #[schema(required = true, example = "019b76da-a800-7a10-8c7e-2f0d4b6e1a01")]
    pub subject_id: Option<Uuid>,
    /// The client's IP address.
    #[schema(required = true, max_length = 45, example = "203.0.113.9")]
    pub ip: Option<String>,
    /// The client's `User-Agent`, cut off after 200 bytes.
    #[schema(required = true, max_length = 200, example = "curl/8.5.0")]
    pub user_agent: Option<String>,
    /// The id of the request in the logs of all services.
    #[schema(
        required = true,
        max_length = 128,
        pattern = "^[A-Za-z0-9._-]+$",
        example = "a-request-id"
    )]
    pub request_id: Option<String>,
    /// Further information, such as the roles before and after a change.
    #[schema(required = true, max_length = 100_000)]
    pub detail: Option<String>,
}
