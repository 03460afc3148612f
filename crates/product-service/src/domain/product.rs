//! A product, and what a client may say about one.

use actix_web::http::header::EntityTag;
use auth::User;
use chrono::{DateTime, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use service_kit::{etag, text};
use utoipa::ToSchema;
use uuid::Uuid;

auth::scopes! {
    /// The right to sell products.
    pub(crate) ProductsWrite = "products:write";
}

/// The highest price, in minor units of the currency.
const MAX_PRICE_CENTS: i64 = 1_000_000_000_000;

/// A product that is for sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
pub(crate) struct Product {
    /// The id of the product.
    #[schema(example = "019b76da-a800-7c31-8e2f-5d0a9b7c4e11")]
    pub id: Uuid,
    /// The name, on one line.
    #[schema(min_length = 1, max_length = 200, example = "Lamp")]
    pub name: String,
    /// The description. It may have several lines, and be empty.
    #[schema(max_length = 5_000, example = "Gives light.")]
    pub description: String,
    /// The price, in minor units of the currency.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 1999)]
    pub price_cents: i64,
    /// The currency: an ISO 4217 code.
    #[schema(pattern = "^[A-Z]{3}$", example = "EUR")]
    pub currency: String,
    /// The id of the user who sells the product.
    #[schema(example = "019b76da-a800-7a10-8c7e-2f0d4b6e1a01")]
    pub owner_id: Uuid,
    /// When the product was created.
    pub created_at: DateTime<Utc>,
    /// When the product last changed.
    pub updated_at: DateTime<Utc>,
    /// Counts the changes. Clients see it as the entity tag.
    #[serde(skip)]
    pub version: i64,
}

impl Product {
    pub(crate) fn tag(&self) -> EntityTag {
        etag::of_version(self.version)
    }

    pub(crate) fn may_be_changed_by(&self, user: &User) -> bool {
        self.owner_id == user.id() || user.is_admin()
    }
}

/// The body of a request that creates a product.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewProduct {
    /// The name, on one line.
    #[garde(custom(text::line(1, 200)))]
    #[schema(min_length = 1, max_length = 200, example = "Lamp")]
    name: String,
    /// The description. It may have several lines.
    #[garde(custom(text::lines(0, 5_000)))]
    #[schema(max_length = 5_000, example = "Gives light.")]
    #[serde(default)]
    description: String,
    /// The price, in minor units of the currency.
    #[garde(custom(price))]
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 1999)]
    price_cents: i64,
    /// The currency: an ISO 4217 code.
    #[garde(custom(currency_code))]
    #[schema(pattern = "^[A-Z]{3}$", example = "EUR")]
    currency: String,
}

impl NewProduct {
    pub(crate) fn into_product(self, id: Uuid, owner_id: Uuid, now: DateTime<Utc>) -> Product {
        Product {
            id,
            name: self.name,
            description: self.description,
            price_cents: self.price_cents,
            currency: self.currency,
            owner_id,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }
}

/// The body of a request that changes a product. Fields that are absent keep their value.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProductChange {
    /// The new name, on one line.
    #[garde(inner(custom(text::line(1, 200))))]
    #[schema(min_length = 1, max_length = 200, example = "Lamp")]
    #[serde(default, deserialize_with = "service_kit::non_null")]
    pub name: Option<String>,
    /// The new description. It may have several lines.
    #[garde(inner(custom(text::lines(0, 5_000))))]
    #[schema(max_length = 5_000, example = "Gives warm light.")]
    #[serde(default, deserialize_with = "service_kit::non_null")]
    pub description: Option<String>,
    /// The new price, in minor units of the currency.
    #[garde(inner(custom(price)))]
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 2499)]
    #[serde(default, deserialize_with = "service_kit::non_null")]
    pub price_cents: Option<i64>,
    /// The new currency: an ISO 4217 code.
    #[garde(inner(custom(currency_code)))]
    #[schema(pattern = "^[A-Z]{3}$", example = "EUR")]
    #[serde(default, deserialize_with = "service_kit::non_null")]
    pub currency: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde expects this signature")]
fn price(cents: &i64, _: &()) -> garde::Result {
    if (0..=MAX_PRICE_CENTS).contains(cents) {
        return Ok(());
    }
    Err(garde::Error::new(format!(
        "must be between 0 and {MAX_PRICE_CENTS}"
    )))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde expects this signature")]
fn currency_code(code: &str, _: &()) -> garde::Result {
    if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Ok(());
    }
    Err(garde::Error::new("must be three capital letters (ISO 4217)"))
}
