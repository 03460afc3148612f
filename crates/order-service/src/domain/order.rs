//! An order.

use auth::User;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

auth::scopes! {
    /// May order.
    pub(crate) OrdersWrite = "orders:write";
    /// May read everybody's orders.
    pub(crate) OrdersReadAll = "orders:read-all";
}

/// Where an order is in its life: `pending` → `confirmed` → `fulfilled`, or `rejected`, `cancelled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub(crate) enum OrderStatus {
    /// Written down; it is not known yet whether there is stock for it.
    Pending,
    /// Stock is reserved for it.
    Confirmed,
    /// It has left.
    Fulfilled,
    /// There was too little stock.
    Rejected,
    /// It was called off before it left.
    Cancelled,
}

/// What somebody ordered, with the names and prices that it was ordered with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
pub(crate) struct Order {
    pub id: Uuid,
    pub user_id: Uuid,
    pub status: OrderStatus,
    #[sqlx(skip)]
    pub items: Vec<Line>,
    /// In minor units of the currency.
    pub total_cents: i64,
    /// ISO 4217.
    pub currency: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// So many of one product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
pub(crate) struct Line {
    pub product_id: Uuid,
    pub name: String,
    /// In minor units of the order's currency.
    pub unit_price_cents: i64,
    pub quantity: i64,
    /// How much there was when there was too little.
    #[serde(skip)]
    pub available: Option<i64>,
}

impl Order {
    /// Whether this person may know of it.
    pub(crate) fn is_visible_to(&self, user: &User) -> bool {
        self.user_id == user.id() || may_read_all(user)
    }

    pub(crate) fn may_be_cancelled_by(&self, user: &User) -> bool {
        self.user_id == user.id() || user.is_admin()
    }
}

/// Whether this person may read everybody's orders.
pub(crate) fn may_read_all(user: &User) -> bool {
    user.has_scope(<OrdersReadAll as auth::Scope>::NAME)
}
