//! The table `admin_guard`: one row, at which every change of an admin takes its turn.

use db::{Conn, on};

pub(crate) struct AdminGuard<'c>(pub &'c mut Conn);

impl AdminGuard<'_> {
    /// Waits for this transaction's turn, which lasts until it ends. What it then reads of admins stays so.
    pub(crate) async fn take_turn(&mut self) -> Result<(), sqlx::Error> {
        const SQL: &str = "update admin_guard set changes = changes + 1";
        on!(self.0, conn => sqlx::query(SQL).execute(conn).await.map(drop))
    }
}
