//! A change of stock.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// By how much one product's stock changes, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Movement {
    pub kind: Kind,
    pub on_hand: i64,
    pub reserved: i64,
    pub order_id: Option<Uuid>,
}

/// Why stock changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub(crate) enum Kind {
    Set,
    Reserve,
    Commit,
    Release,
}

impl Movement {
    /// Somebody says that there is so much more, or less.
    pub(crate) fn set(on_hand: i64) -> Self {
        Self {
            kind: Kind::Set,
            on_hand,
            reserved: 0,
            order_id: None,
        }
    }

    /// So much is promised to an order.
    pub(crate) fn reserve(order_id: Uuid, quantity: i64) -> Self {
        Self {
            kind: Kind::Reserve,
            on_hand: 0,
            reserved: quantity,
            order_id: Some(order_id),
        }
    }

    /// What was promised to an order leaves.
    pub(crate) fn commit(order_id: Uuid, quantity: i64) -> Self {
        Self {
            kind: Kind::Commit,
            on_hand: -quantity,
            reserved: -quantity,
            order_id: Some(order_id),
        }
    }

    /// What was promised to an order is anybody's again.
    pub(crate) fn release(order_id: Uuid, quantity: i64) -> Self {
        Self {
            kind: Kind::Release,
            on_hand: 0,
            reserved: -quantity,
            order_id: Some(order_id),
        }
    }
}

/// Who moves stock, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Act<'a> {
    /// A person's id, or a service's name.
    pub actor: &'a str,
    pub at: DateTime<Utc>,
}
