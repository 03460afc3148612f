//! An order and its status.

use auth::User;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

auth::scopes! {
    /// The right to place orders.
    pub(crate) OrdersWrite = "orders:write";
    /// The right to read the orders of all users.
    pub(crate) OrdersReadAll = "orders:read-all";
}

/// The status of an order: `pending`, then `confirmed` and `fulfilled`; or `rejected`; or `cancelled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[schema(example = "confirmed")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub(crate) enum OrderStatus {
    /// Stored; its stock is not reserved yet.
    Pending,
    /// Its stock is reserved.
    Confirmed,
    /// Shipped. Final.
    Fulfilled,
    /// There was not enough stock. Final.
    Rejected,
    /// Cancelled before it was shipped. Final.
    Cancelled,
}

/// An order, with the names and prices of the time when it was placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
pub(crate) struct Order {
    /// The id of the order.
    #[schema(example = "019b76da-a800-7d42-9b3c-7e1f8a6d5c22")]
    pub id: Uuid,
    /// The id of the user who placed the order.
    #[schema(example = "019b76da-a800-7a10-8c7e-2f0d4b6e1a01")]
    pub user_id: Uuid,
    /// The status.
    pub status: OrderStatus,
    /// The lines, in the sequence in which they were ordered.
    #[schema(min_items = 1, max_items = 50)]
    #[sqlx(skip)]
    pub items: Vec<Line>,
    /// The total price, in minor units of the currency.
    #[schema(minimum = 0, maximum = 9_223_372_036_854_775_807_i64, example = 3998)]
    pub total_cents: i64,
    /// The currency: an ISO 4217 code.
    #[schema(pattern = "^[A-Z]{3}$", example = "EUR")]
    pub currency: String,
    /// When the order was placed.
    pub created_at: DateTime<Utc>,
    /// When the status last changed.
    pub updated_at: DateTime<Utc>,
}

/// One line of an order: a product and its quantity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
pub(crate) struct Line {
    /// The id of the product.
    #[schema(example = "019b76da-a800-7c31-8e2f-5d0a9b7c4e11")]
    pub product_id: Uuid,
    /// The name of the product when it was ordered.
    #[schema(max_length = 200, example = "Lamp")]
    pub name: String,
    /// The price of one, in minor units of the order's currency, when it was ordered.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 1999)]
    pub unit_price_cents: i64,
    /// How many were ordered.
    #[schema(minimum = 1, maximum = 10_000, example = 2)]
    pub quantity: i64,
    /// The available quantity, if it was less than `quantity` when the order was rejected.
    #[serde(skip)]
    pub available: Option<i64>,
}

/// A product without enough stock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Shortage {
    /// The id of the product.
    #[schema(example = "019b76da-a800-7c31-8e2f-5d0a9b7c4e11")]
    pub product_id: Uuid,
    /// How many were requested.
    #[schema(minimum = 1, maximum = 10_000, example = 2)]
    pub requested: i64,
    /// How many were available.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64, example = 1)]
    pub available: i64,
}

impl Order {
    /// Whether the user may know that this order exists.
    pub(crate) fn is_visible_to(&self, user: &User) -> bool {
        self.user_id == user.id() || may_read_all(user)
    }

    /// The lines that were short when the order was rejected.
    pub(crate) fn shortages(&self) -> Vec<Shortage> {
        let shortage = |line: &Line| {
            line.available.map(|available| Shortage {
                product_id: line.product_id,
                requested: line.quantity,
                available,
            })
        };
        self.items.iter().filter_map(shortage).collect()
    }

    /// Whether the user may cancel this order.
    pub(crate) fn may_be_cancelled_by(&self, user: &User) -> bool {
        self.user_id == user.id() || user.is_admin()
    }
}

/// Whether the user may read the orders of all users.
pub(crate) fn may_read_all(user: &User) -> bool {
    user.has_scope(<OrdersReadAll as auth::Scope>::NAME)
}
