//! The table `idempotency_keys`.

use chrono::{DateTime, TimeDelta, Utc};
use db::{Conn, on};
use uuid::Uuid;

use crate::domain::{IdempotencyKey, Order};

/// How long a key refers to its order. Afterwards it is free.
const LIFETIME: TimeDelta = TimeDelta::hours(24);

/// The table, seen through one connection or transaction.
pub(crate) struct IdempotencyKeys<'c>(pub &'c mut Conn);

/// The earlier use of a key.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct EarlierUse {
    pub order_id: Uuid,
    pub request_hash: Vec<u8>,
}

impl IdempotencyKeys<'_> {
    /// Binds a key to a new order. Returns false if it is already bound to another.
    ///
    /// Of several concurrent calls one succeeds. The others wait until its transaction has committed, because they insert the
    /// same primary key.
    pub(crate) async fn claim(
        &mut self,
        order: &Order,
        key: &IdempotencyKey,
        request_hash: &[u8; 32],
    ) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            insert into idempotency_keys (user_id, key, request_hash, order_id, created_at)
            values ($1, $2, $3, $4, $5)
            on conflict (user_id, key) do update
            set request_hash = excluded.request_hash, order_id = excluded.order_id, created_at = excluded.created_at
            where idempotency_keys.created_at <= $6";
        on!(self.0, conn => {
            let query = sqlx::query(SQL)
                .bind(order.user_id)
                .bind(key.as_str())
                .bind(request_hash.as_slice())
                .bind(order.id)
                .bind(order.created_at)
                .bind(order.created_at - LIFETIME);
            Ok(query.execute(conn).await?.rows_affected() == 1)
        })
    }

    /// The use of a key by this user within the last 24 hours.
    pub(crate) async fn find(
        &mut self,
        user_id: Uuid,
        key: &IdempotencyKey,
        now: DateTime<Utc>,
    ) -> Result<Option<EarlierUse>, sqlx::Error> {
        const SQL: &str = "
            select order_id, request_hash from idempotency_keys
            where user_id = $1 and key = $2 and created_at > $3";
        on!(self.0, conn => sqlx::query_as(SQL)
            .bind(user_id)
            .bind(key.as_str())
            .bind(now - LIFETIME)
            .fetch_optional(conn)
            .await)
    }

    /// Deletes up to `limit` expired keys, and returns how many.
    ///
    /// The outer query repeats the age check for a race on PostgreSQL: when a key is claimed again between the subquery and the
    /// delete, only the outer conditions are evaluated again on the new row version.
    pub(crate) async fn delete_expired(
        &mut self,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<u64, sqlx::Error> {
        const SQL: &str = "
            delete from idempotency_keys where created_at <= $1 and (user_id, key) in (
                select user_id, key from idempotency_keys where created_at <= $1 order by created_at limit $2)";
        on!(self.0, conn => {
            let query = sqlx::query(SQL).bind(now - LIFETIME).bind(i64::from(limit));
            Ok(query.execute(conn).await?.rows_affected())
        })
    }
}
