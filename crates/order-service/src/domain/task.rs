//! What inventory-service has yet to be told.

use chrono::TimeDelta;
use uuid::Uuid;

/// How long somebody may work on a task. Longer than a call to inventory-service and the transaction after it may take; whoever
/// is slower still does no harm, since each task can be done twice.
pub(crate) const LEASE: TimeDelta = TimeDelta::seconds(12);

/// A lease that ends later than this from now is none: some clock was wrong. Those of replicas may differ a little.
pub(crate) const LONGEST_LEASE: TimeDelta = TimeDelta::seconds(24);

/// What is to be done with the stock of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub(crate) enum StockTaskKind {
    /// Keep what was ordered for it.
    Reserve,
    /// Give it back.
    Release,
    /// It has left.
    Commit,
}

impl StockTaskKind {
    /// The place among the tasks of one order: stock is kept first, and then given back or gone.
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Reserve => 1,
            Self::Release | Self::Commit => 2,
        }
    }
}

/// A task on which somebody works.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct StockTask {
    pub order_id: Uuid,
    pub number: i64,
    pub kind: StockTaskKind,
    /// Who: each time that a task is taken up, another one.
    pub lease: Uuid,
    /// How often it was tried before.
    pub attempts: i64,
}
