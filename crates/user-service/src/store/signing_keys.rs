//! The table `signing_keys`.

use db::{Conn, on};

use crate::keys::StoredKey;

pub(crate) struct SigningKeyRows<'c>(pub &'c mut Conn);

impl SigningKeyRows<'_> {
    pub(crate) async fn all(&mut self) -> Result<Vec<StoredKey>, sqlx::Error> {
        const SQL: &str = "
            select kid, state, public_key, sealed_private, created_at, activated_at
            from signing_keys order by created_at, kid";
        on!(self.0, conn => sqlx::query_as(SQL).fetch_all(conn).await)
    }

    /// Adds a key, unless there is one in this state.
    pub(crate) async fn add_unless_there(&mut self, key: &StoredKey) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            insert into signing_keys (kid, state, public_key, sealed_private, created_at, activated_at)
            values ($1, $2, $3, $4, $5, $6)
            on conflict do nothing";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(&key.kid)
            .bind(key.state)
            .bind(&key.public_key)
            .bind(&key.sealed_private)
            .bind(key.created_at)
            .bind(key.activated_at)
            .execute(conn)
            .await
            .map(drop))
    }

    pub(crate) async fn reseal(&mut self, kid: &str, sealed: &[u8]) -> Result<(), sqlx::Error> {
        const SQL: &str = "update signing_keys set sealed_private = $2 where kid = $1";
        on!(self.0, conn => sqlx::query(SQL).bind(kid).bind(sealed).execute(conn).await.map(drop))
    }
}
