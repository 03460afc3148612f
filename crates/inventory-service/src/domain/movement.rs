//! A change of stock.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// How the stock of one product changes, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Movement {
    pub kind: Kind,
    /// The difference in `on_hand`.
    pub on_hand: i64,
    /// The difference in `reserved`.
    pub reserved: i64,
    pub order_id: Option<Uuid>,
}

/// Why stock changes. Stored in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub(crate) enum Kind {
    Set,
    Reserve,
    Commit,
    Release,
}

impl Movement {
    /// A user sets the quantity on hand, which changes by this difference.
    pub(crate) fn set(on_hand: i64) -> Self {
        Self {
            kind: Kind::Set,
            on_hand,
            reserved: 0,
            order_id: None,
        }
    }

    /// Stock is set aside for an order.
    pub(crate) fn reserve(order_id: Uuid, quantity: i64) -> Self {
        Self {
            kind: Kind::Reserve,
            on_hand: 0,
            reserved: quantity,
            order_id: Some(order_id),
        }
    }

    /// The reserved stock of an order leaves the warehouse.
    pub(crate) fn commit(order_id: Uuid, quantity: i64) -> Self {
        Self {
            kind: Kind::Commit,
            on_hand: -quantity,
            reserved: -quantity,
            order_id: Some(order_id),
        }
    }

    /// The reserved stock of an order becomes available again.
    pub(crate) fn release(order_id: Uuid, quantity: i64) -> Self {
        Self {
            kind: Kind::Release,
            on_hand: 0,
            reserved: -quantity,
            order_id: Some(order_id),
        }
    }
}

/// The author and the time of a change of stock, as the journal stores them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    /// A user's id or a service's name.
    pub actor: &'a str,
    pub at: DateTime<Utc>,
}
