//! The table `login_networks`: the networks that each user has logged in from.

use chrono::{DateTime, Utc};
use db::{Conn, on};
use uuid::Uuid;

use crate::domain::Network;

pub(crate) struct LoginNetworkRows<'c>(pub &'c mut Conn);

/// The networks from which a user has logged in, compared with the one of this login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KnownNetworks {
    /// This network is one of them.
    This,
    /// Only others.
    Others,
    /// None: the user has not logged in for a long time, or never.
    None,
}

impl LoginNetworkRows<'_> {
    /// Whether the user has logged in from this network.
    pub(crate) async fn is_known(
        &mut self,
        user_id: Option<Uuid>,
        network: &Network,
    ) -> Result<bool, sqlx::Error> {
        const SQL: &str = "select count(*) from login_networks where user_id = $1 and network = $2";
        // An unknown user is looked up, too, so that the response takes the same time as for a known user.
        on!(self.0, conn => sqlx::query_scalar::<_, i64>(SQL)
            .bind(user_id.unwrap_or_default())
            .bind(network.as_str())
            .fetch_one(conn)
            .await
            .map(|count| count > 0))
    }

    /// The networks from which the user has logged in, compared with this one, before this login is [recorded](Self::remember).
    pub(crate) async fn known(
        &mut self,
        user_id: Uuid,
        network: &Network,
    ) -> Result<KnownNetworks, sqlx::Error> {
        const SQL: &str = "
            select count(*), count(case when network = $2 then 1 end) from login_networks where user_id = $1";
        let (all, same): (i64, i64) = on!(self.0, conn => sqlx::query_as(SQL)
            .bind(user_id)
            .bind(network.as_str())
            .fetch_one(conn)
            .await)?;
        Ok(match (all, same) {
            (0, _) => KnownNetworks::None,
            (_, 0) => KnownNetworks::Others,
            _ => KnownNetworks::This,
        })
    }

    /// Records a login from this network.
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

    /// Deletes all networks of the user.
    pub(crate) async fn delete_all(&mut self, user_id: Uuid) -> Result<(), sqlx::Error> {
        const SQL: &str = "delete from login_networks where user_id = $1";
        on!(self.0, conn => sqlx::query(SQL).bind(user_id).execute(conn).await.map(drop))
    }

    /// Deletes networks without a login since this time.
    pub(crate) async fn delete_unused(&mut self, since: DateTime<Utc>) -> Result<(), sqlx::Error> {
        const SQL: &str = "delete from login_networks where last_used_at < $1";
        on!(self.0, conn => sqlx::query(SQL).bind(since).execute(conn).await.map(drop))
    }
}
