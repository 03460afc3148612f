//! What the audit log tells: one record for each thing that matters for security.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// What somebody did, or tried to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub(crate) enum Event {
    /// Became a user.
    Registered,
    /// Was made the first admin at a start of the service.
    FirstAdmin,
    /// Logged in.
    Login,
    /// Failed to log in so often that further tries are refused for a while.
    LoginThrottled,
    /// Ended the session that they were in.
    Logout,
    /// Ended all their sessions.
    LogoutAll,
    /// Ended one of their sessions.
    SessionEnded,
    /// Showed a refresh token that had been replaced long before, which ended the session.
    RefreshReplayed,
    /// Changed their password.
    PasswordChanged,
    /// Changed somebody's name or roles, or disabled or enabled them.
    UserChanged,
    /// Deleted somebody.
    UserDeleted,
    /// Ended all sessions of somebody.
    UserLoggedOut,
    /// A service took somebody's token back.
    TokenRevoked,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub(crate) enum Outcome {
    Success,
    Failure,
}

/// A record to add.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub event: Event,
    pub outcome: Outcome,
    /// Who did it, where that is known.
    pub actor: Option<Uuid>,
    /// Whom it was done to.
    pub subject: Option<Uuid>,
    /// What else is worth knowing: never what somebody typed.
    pub detail: Option<String>,
}

impl Entry {
    /// Somebody did something to themselves.
    pub(crate) fn of(event: Event, user: Uuid) -> Self {
        Self {
            event,
            outcome: Outcome::Success,
            actor: Some(user),
            subject: Some(user),
            detail: None,
        }
    }

    /// Somebody did something to somebody.
    pub(crate) fn by(event: Event, actor: Uuid, subject: Uuid) -> Self {
        Self {
            subject: Some(subject),
            ..Self::of(event, actor)
        }
    }

    /// A service did something to somebody.
    pub(crate) fn by_service(event: Event, name: &str, subject: Uuid) -> Self {
        Self {
            actor: None,
            ..Self::of(event, subject).detail(format!("by {name}"))
        }
    }

    /// Someone, nobody knows who, failed to do something to somebody, if that is anybody.
    pub(crate) fn failed(event: Event, subject: Option<Uuid>, detail: &str) -> Self {
        let nobody_known = Self {
            event,
            outcome: Outcome::Failure,
            actor: None,
            subject,
            detail: None,
        };
        nobody_known.failing(detail)
    }

    /// The same, but it failed.
    pub(crate) fn failing(self, why: &str) -> Self {
        Self {
            outcome: Outcome::Failure,
            detail: Some(why.to_owned()),
            ..self
        }
    }

    /// The same, and what else is worth knowing.
    pub(crate) fn detail(self, detail: String) -> Self {
        Self {
            detail: Some(detail),
            ..self
        }
    }
}

/// A record, as admins read it.
#[derive(Debug, Serialize, sqlx::FromRow, ToSchema)]
pub(crate) struct AuditRecord {
    pub id: Uuid,
    pub at: DateTime<Utc>,
    pub event: Event,
    pub outcome: Outcome,
    /// Who did it, where that is known.
    pub actor_id: Option<Uuid>,
    /// Whom it was done to. They may have been deleted since.
    pub subject_id: Option<Uuid>,
    /// The address that it was done from.
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    /// What the logs of all services know the request by.
    pub request_id: Option<String>,
    pub detail: Option<String>,
}
