//! The table `used_provider_logins`: logins at providers that were finished, so that none is finished twice.

use chrono::{DateTime, Utc};
use db::{Conn, on};

pub(crate) struct UsedLoginRows<'c>(pub &'c mut Conn);

impl UsedLoginRows<'_> {
    /// Marks a login as used, and returns whether it was not used before.
    pub(crate) async fn add(
        &mut self,
        state_hash: &[u8; 32],
        expires_at: DateTime<Utc>,
    ) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            insert into used_provider_logins (state_hash, expires_at) values ($1, $2)
            on conflict (state_hash) do nothing";
        on!(self.0, conn => Ok(sqlx::query(SQL)
            .bind(state_hash.as_slice())
            .bind(expires_at)
            .execute(conn)
            .await?
            .rows_affected() == 1))
    }

    /// Deletes logins that expired before this time.
    pub(crate) async fn delete_expired(&mut self, before: DateTime<Utc>) -> Result<(), sqlx::Error> {
        const SQL: &str = "delete from used_provider_logins where expires_at < $1";
        on!(self.0, conn => sqlx::query(SQL).bind(before).execute(conn).await.map(drop))
    }
}
