//! The stock of one product.

use actix_web::http::header::EntityTag;
use chrono::{DateTime, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use service_kit::etag;
use utoipa::ToSchema;
use uuid::Uuid;

/// The largest quantity of one product.
const MAX_ON_HAND: i64 = 1_000_000_000_000;

/// The stock of one product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
pub(crate) struct Stock {
    /// The id of the product.
    #[schema(example = "019b76da-a800-7c31-8e2f-5d0a9b7c4e11")]
    pub product_id: Uuid,
    /// The quantity in the warehouse.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 40)]
    pub on_hand: i64,
    /// How much of `on_hand` is set aside for orders.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 2)]
    pub reserved: i64,
    /// The quantity that can still be ordered: `on_hand` minus `reserved`.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 38)]
    pub available: i64,
    /// When the stock last changed. Null for a product that was never stocked.
    #[schema(required = true)]
    pub updated_at: Option<DateTime<Utc>>,
    /// Counts the changes. Clients see it as the entity tag.
    #[serde(skip)]
    pub version: i64,
}

impl Stock {
    /// The stock of a product that was never stocked.
    pub(crate) fn never_stocked(product_id: Uuid) -> Self {
        Self {
            product_id,
            on_hand: 0,
            reserved: 0,
            available: 0,
            updated_at: None,
            version: 0,
        }
    }

    /// The entity tag of this version.
    pub(crate) fn tag(&self) -> EntityTag {
        etag::of_version(self.version)
    }
}

/// The body of a request that sets the stock of a product.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StockCount {
    /// The quantity in the warehouse, including what is reserved for orders.
    #[garde(range(min = 0, max = MAX_ON_HAND))]
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 40)]
    pub on_hand: i64,
}
