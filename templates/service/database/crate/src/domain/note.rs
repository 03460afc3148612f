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
    /// The id of the user who wrote the note.
    #[schema(example = "019b76da-a800-7a10-8c7e-2f0d4b6e1a01")]
    pub user_id: Uuid,
    /// The text. It may have several lines.
    #[schema(min_length = 1, max_length = 1_000, example = "Buy milk.")]
    pub text: String,
    /// When the note was last written.
    pub updated_at: DateTime<Utc>,
}

/// The body of a request that writes a note.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoteText {
    /// The text. It may have several lines.
    #[garde(custom(text::lines(1, 1_000)))]
    #[schema(min_length = 1, max_length = 1_000, example = "Buy milk.")]
    pub text: String,
}

/// How many notes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct NoteCount {
    /// The number of notes.
    #[schema(minimum = 0, maximum = 9_223_372_036_854_775_807_i64, example = 1)]
    pub notes: i64,
}
