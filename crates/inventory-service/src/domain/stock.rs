//! The stock of one product.

use actix_web::http::header::EntityTag;
use chrono::{DateTime, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use service_kit::etag;
use utoipa::ToSchema;
use uuid::Uuid;

/// The most there can be of one product.
const MAX_ON_HAND: i64 = 1_000_000_000_000;

/// What there is of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
pub(crate) struct Stock {
    pub product_id: Uuid,
    /// What lies in the warehouse.
    pub on_hand: i64,
    /// What of it is promised to orders.
    pub reserved: i64,
    /// What is left to order: `on_hand` less `reserved`.
    pub available: i64,
    /// Null for a product that was never stocked.
    pub updated_at: Option<DateTime<Utc>>,
    #[serde(skip)]
    pub version: i64,
}

impl Stock {
    /// The stock of a product that was never stocked.
    pub(crate) fn none_of(product_id: Uuid) -> Self {
        Self {
            product_id,
            on_hand: 0,
            reserved: 0,
            available: 0,
            updated_at: None,
            version: 0,
        }
    }

    pub(crate) fn tag(&self) -> EntityTag {
        etag::of_version(self.version)
    }
}

/// How much somebody says there is.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StockCount {
    /// What lies in the warehouse, with what is promised to orders.
    #[garde(range(min = 0, max = MAX_ON_HAND))]
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    pub on_hand: i64,
}
