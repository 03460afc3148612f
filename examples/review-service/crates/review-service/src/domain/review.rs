//! A review of a product.

use auth::User;
use chrono::{DateTime, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use service_kit::text;
use utoipa::ToSchema;
use uuid::Uuid;

/// A user's review of a product. Each user writes at most one of each product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
pub(crate) struct Review {
    /// The id of the review.
    #[schema(example = "019b76da-a800-7a75-9d1e-3c8b5f2a6e66")]
    pub id: Uuid,
    /// The id of the product.
    #[schema(example = "019b76da-a800-7c31-8e2f-5d0a9b7c4e11")]
    pub product_id: Uuid,
    /// The id of the author.
    #[schema(example = "019b76da-a800-7a10-8c7e-2f0d4b6e1a01")]
    pub user_id: Uuid,
    /// 1 to 5.
    #[schema(minimum = 1, maximum = 5, example = 4)]
    pub stars: i64,
    /// The text. It may have several lines, and be empty.
    #[schema(max_length = 5_000, example = "Gives light.")]
    pub text: String,
    /// When the review was written.
    pub created_at: DateTime<Utc>,
}

impl Review {
    pub(crate) fn may_be_deleted_by(&self, user: &User) -> bool {
        self.user_id == user.id() || user.is_admin()
    }
}

/// The body of a request that creates a review.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewReview {
    /// The id of the product.
    #[garde(skip)]
    #[serde(deserialize_with = "service_kit::canonical_uuid")]
    #[schema(example = "019b76da-a800-7c31-8e2f-5d0a9b7c4e11")]
    pub product_id: Uuid,
    /// 1 to 5.
    #[garde(range(min = 1, max = 5))]
    #[schema(minimum = 1, maximum = 5, example = 4)]
    stars: i64,
    /// The text. It may have several lines.
    #[garde(custom(text::lines(0, 5_000)))]
    #[schema(max_length = 5_000, example = "Gives light.")]
    #[serde(default)]
    text: String,
}

impl NewReview {
    pub(crate) fn into_review(self, id: Uuid, user_id: Uuid, now: DateTime<Utc>) -> Review {
        Review {
            id,
            product_id: self.product_id,
            user_id,
            stars: self.stars,
            text: self.text,
            created_at: now,
        }
    }
}
