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
    pub id: Uuid,
    pub product_id: Uuid,
    /// The author.
    pub user_id: Uuid,
    /// 1 to 5.
    pub stars: i64,
    pub text: String,
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
    #[garde(skip)]
    #[serde(deserialize_with = "service_kit::canonical_uuid")]
    pub product_id: Uuid,
    #[garde(range(min = 1, max = 5))]
    #[schema(minimum = 1, maximum = 5)]
    stars: i64,
    #[garde(custom(text::lines(0, 5_000)))]
    #[schema(max_length = 5_000)]
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
