//! The table `server_secrets`: sealed secrets that this service generated for itself.

use db::{Conn, on};

pub(crate) struct SecretRows<'c>(pub &'c mut Conn);

impl SecretRows<'_> {
    /// Stores a secret, unless a secret with this name exists, and returns the stored secret.
    pub(crate) async fn get_or_add(&mut self, name: &str, sealed: &[u8]) -> Result<Vec<u8>, sqlx::Error> {
        const ADD: &str =
            "insert into server_secrets (name, sealed) values ($1, $2) on conflict (name) do nothing";
        const FIND: &str = "select sealed from server_secrets where name = $1";
        on!(self.0, conn => {
            sqlx::query(ADD).bind(name).bind(sealed).execute(&mut *conn).await?;
            sqlx::query_scalar(FIND).bind(name).fetch_one(conn).await
        })
    }

    /// Replaces the sealed form of a secret.
    pub(crate) async fn reseal(&mut self, name: &str, sealed: &[u8]) -> Result<(), sqlx::Error> {
        const SQL: &str = "update server_secrets set sealed = $2 where name = $1";
        on!(self.0, conn => sqlx::query(SQL).bind(name).bind(sealed).execute(conn).await.map(drop))
    }
}
