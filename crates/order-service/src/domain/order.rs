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
    pub id: Uuid,
    pub user_id: Uuid,
    pub status: OrderStatus,
    #[sqlx(skip)]
    pub items: Vec<Line>,
    /// In minor units of the currency.
    pub total_cents: i64,
    /// An ISO 4217 code, such as `EUR`.
    pub currency: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// One line of an order: a product and its quantity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
pub(crate) struct Line {
    pub product_id: Uuid,
    pub name: String,
    /// In minor units of the order's currency.
    pub unit_price_cents: i64,
    pub quantity: i64,
    /// The available quantity, if it was less than `quantity` when the order was rejected.
    #[serde(skip)]
    pub available: Option<i64>,
}

/// A product without enough stock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Shortage {
    pub product_id: Uuid,
    pub requested: i64,
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
