//! Accounts of OpenID providers that are linked to users.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// An account of an OpenID provider that a user can log in with.
#[derive(Debug, Serialize, sqlx::FromRow, ToSchema)]
pub(crate) struct Identity {
    /// The id of the link.
    #[schema(example = "019b76da-a800-7c1d-9e2f-5b3a6d8f7e55")]
    pub id: Uuid,
    /// The name of the provider.
    #[schema(max_length = 32, pattern = "^[a-z0-9-]+$", example = "google")]
    pub provider: String,
    /// The email address of the account at the provider, if the provider shares it.
    #[schema(required = true, max_length = 254, example = "ada@example.com")]
    pub email: Option<String>,
    /// When it was linked.
    pub created_at: DateTime<Utc>,
    /// When the user last logged in with it.
    pub last_used_at: DateTime<Utc>,
}
