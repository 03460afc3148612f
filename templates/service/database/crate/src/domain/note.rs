//! A user's note.

use chrono::{DateTime, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use service_kit::text;
use utoipa::ToSchema;
use uuid::Uuid;

/// A user's note. Each user has at most one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
pub(crate) struct Note {
    pub user_id: Uuid,
    pub text: String,
    pub updated_at: DateTime<Utc>,
}

/// The body of a request that writes a note.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoteText {
    #[garde(custom(text::lines(1, 1_000)))]
    #[schema(min_length = 1, max_length = 1_000)]
    pub text: String,
}

/// How many notes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct NoteCount {
    pub notes: i64,
}
