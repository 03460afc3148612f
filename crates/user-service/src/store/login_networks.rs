//! The table `login_networks`: where people have logged in from.

use chrono::{DateTime, Utc};
use db::{Conn, on};
use uuid::Uuid;

use crate::domain::Network;

pub(crate) struct LoginNetworks<'c>(pub &'c mut Conn);

impl LoginNetworks<'_> {
    /// Whether this person, if it is anybody, has logged in from there.
    pub(crate) async fn know(
        &mut self,
        user_id: Option<Uuid>,
        network: &Network,
    ) -> Result<bool, sqlx::Error> {
        const SQL: &str = "select count(*) from login_networks where user_id = $1 and network = $2";
        // Nobody is looked for just as somebody is, and takes as long.
        on!(self.0, conn => sqlx::query_scalar::<_, i64>(SQL)
            .bind(user_id.unwrap_or_default())
            .bind(network.as_str())
            .fetch_one(conn)
            .await
            .map(|count| count > 0))
    }

    pub(crate) async fn remember(
        &mut self,
        user_id: Uuid,
        network: &Network,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            insert into login_networks (user_id, network, last_used_at) values ($1, $2, $3)
            on conflict (user_id, network) do update set last_used_at = excluded.last_used_at";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(user_id)
            .bind(network.as_str())
            .bind(now)
            .execute(conn)
            .await
            .map(drop))
    }

    /// Forgets those that nobody has used since.
    pub(crate) async fn forget_unused(&mut self, since: DateTime<Utc>) -> Result<(), sqlx::Error> {
        const SQL: &str = "delete from login_networks where last_used_at < $1";
        on!(self.0, conn => sqlx::query(SQL).bind(since).execute(conn).await.map(drop))
    }
}
