//! The table `clients`: the services that may request tokens.

use chrono::{DateTime, Utc};
use db::{Conn, on};

use crate::domain::SecretHash;

pub(crate) struct ClientRows<'c>(pub &'c mut Conn);

impl ClientRows<'_> {
    /// The name and the secret hash of each client.
    pub(crate) async fn all(&mut self) -> Result<Vec<(String, Vec<u8>)>, sqlx::Error> {
        const SQL: &str = "select name, secret_hash from clients order by name";
        on!(self.0, conn => sqlx::query_as(SQL).fetch_all(conn).await)
    }

    /// Adds a client, or replaces its secret hash.
    pub(crate) async fn put(
        &mut self,
        name: &str,
        hash: &SecretHash,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            insert into clients (name, secret_hash, updated_at) values ($1, $2, $3)
            on conflict (name) do update set secret_hash = excluded.secret_hash, updated_at = excluded.updated_at
            where clients.secret_hash <> excluded.secret_hash";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(name)
            .bind(hash.as_bytes())
            .bind(now)
            .execute(conn)
            .await
            .map(drop))
    }

    pub(crate) async fn remove(&mut self, name: &str) -> Result<(), sqlx::Error> {
        const SQL: &str = "delete from clients where name = $1";
        on!(self.0, conn => sqlx::query(SQL).bind(name).execute(conn).await.map(drop))
    }
}
