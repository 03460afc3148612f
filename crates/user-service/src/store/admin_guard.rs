//! The table `admin_guard`: one row, which a transaction locks before it changes the set of admins.

use db::{Conn, on};

/// The lock on the set of admins.
pub(crate) struct AdminLock<'c>(pub &'c mut Conn);

impl AdminLock<'_> {
    /// Waits until no other transaction holds this lock, and holds it until this transaction ends.
    pub(crate) async fn acquire(&mut self) -> Result<(), sqlx::Error> {
        const SQL: &str = "update admin_guard set changes = changes + 1";
        on!(self.0, conn => sqlx::query(SQL).execute(conn).await.map(drop))
    }
}
