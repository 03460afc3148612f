//! The table `signing_keys`. At most one key is active, and at most one is next.

use chrono::{DateTime, Utc};
use db::{Conn, on};

use crate::domain::{SigningAlgorithm, SigningKey};

pub(crate) struct SigningKeyRows<'c>(pub &'c mut Conn);

impl SigningKeyRows<'_> {
    /// All keys, oldest first.
    pub(crate) async fn all(&mut self) -> Result<Vec<SigningKey>, sqlx::Error> {
        const SQL: &str = "
            select kid, algorithm, state, public_key, sealed_private, created_at, activated_at, not_after
            from signing_keys order by created_at, kid";
        on!(self.0, conn => sqlx::query_as(SQL).fetch_all(conn).await)
    }

    /// Adds a key, unless another key has its state.
    pub(crate) async fn add_unless_state_taken(&mut self, key: &SigningKey) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            insert into signing_keys (kid, algorithm, state, public_key, sealed_private, created_at, activated_at, not_after)
            values ($1, $2, $3, $4, $5, $6, $7, $8)
            on conflict do nothing";
        on!(self.0, conn => sqlx::query(SQL)
            .bind(&key.kid)
            .bind(key.algorithm)
            .bind(key.state)
            .bind(&key.public_key)
            .bind(&key.sealed_private)
            .bind(key.created_at)
            .bind(key.activated_at)
            .bind(key.not_after)
            .execute(conn)
            .await
            .map(drop))
    }

    /// Retires the active key if it has another algorithm, and deletes such a next key, which has not signed anything.
    pub(crate) async fn retire_other_algorithms(
        &mut self,
        algorithm: SigningAlgorithm,
        not_after: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        const RETIRE: &str = "
            update signing_keys set state = 'retiring', not_after = $2
            where state = 'active' and algorithm <> $1";
        const DELETE: &str = "delete from signing_keys where state = 'next' and algorithm <> $1";
        on!(self.0, conn => {
            sqlx::query(RETIRE).bind(algorithm).bind(not_after).execute(&mut *conn).await?;
            sqlx::query(DELETE).bind(algorithm).execute(conn).await.map(drop)
        })
    }

    /// Replaces the sealed form of a private key.
    pub(crate) async fn reseal(&mut self, kid: &str, sealed: &[u8]) -> Result<(), sqlx::Error> {
        const SQL: &str = "update signing_keys set sealed_private = $2 where kid = $1";
        on!(self.0, conn => sqlx::query(SQL).bind(kid).bind(sealed).execute(conn).await.map(drop))
    }

    /// Deletes retiring keys whose tokens have all expired.
    pub(crate) async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        const SQL: &str = "delete from signing_keys where state = 'retiring' and not_after <= $1";
        on!(self.0, conn => sqlx::query(SQL).bind(now).execute(conn).await.map(drop))
    }
}
