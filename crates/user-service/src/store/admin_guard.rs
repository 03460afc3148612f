//! The table `admin_guard`: one row, which a transaction locks before it changes who is an admin.

use db::{Conn, on};

pub(crate) struct AdminGuard<'c>(pub &'c mut Conn);

impl AdminGuard<'_> {
    /// Waits until no other transaction changes admins, and keeps others waiting until this one ends.
    pub(crate) async fn lock(&mut self) -> Result<(), sqlx::Error> {
        const SQL: &str = "update admin_guard set changes = changes + 1";
        on!(self.0, conn => sqlx::query(SQL).execute(conn).await.map(drop))
    }
}
