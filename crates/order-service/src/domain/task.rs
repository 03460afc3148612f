//! Stock tasks: changes of stock that orders still require.

use chrono::TimeDelta;
use uuid::Uuid;

/// How long a task belongs to the request or worker that leased it. Longer than a call to inventory-service and the following
/// transaction may take. A slower worker does no harm, because every task may be executed twice.
pub(crate) const LEASE: TimeDelta = TimeDelta::seconds(12);

/// A lease that ends later than this from now was written by a wrong clock. Twice [`LEASE`], so that the clocks of replicas may
/// differ by up to 12 seconds.
pub(crate) const LONGEST_LEASE: TimeDelta = TimeDelta::seconds(24);

/// A change that inventory-service has to make to the stock of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub(crate) enum StockTaskKind {
    /// Reserve stock for a new order.
    Reserve,
    /// Return the stock of a cancelled order.
    Release,
    /// Take the stock of a fulfilled order out of the warehouse.
    Commit,
}

impl StockTaskKind {
    /// The task's position among the tasks of its order. Stock is reserved first. It is then either released or committed,
    /// because an order is either cancelled or fulfilled.
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Reserve => 1,
            Self::Release | Self::Commit => 2,
        }
    }
}

/// A leased task.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct StockTask {
    pub order_id: Uuid,
    pub number: i64,
    pub kind: StockTaskKind,
    /// Identifies this lease. Each lease of a task gets a new id.
    pub lease: Uuid,
    /// The number of failed attempts so far.
    pub attempts: i64,
}
