//! The table `idempotency_keys`.

use chrono::{DateTime, TimeDelta, Utc};
use db::{Conn, on};
use uuid::Uuid;

use crate::domain::{IdempotencyKey, Order};

/// For so long a key stands for the order that was made with it.
const KEPT: TimeDelta = TimeDelta::hours(24);

pub(crate) struct IdempotencyKeys<'c>(pub &'c mut Conn);

/// What a key was used for.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Used {
    pub order_id: Uuid,
    pub request_hash: Vec<u8>,
}

impl IdempotencyKeys<'_> {
    /// Binds a key to an order that is just being made. False where it is bound to another: of several callers one gets it, and
    /// the others wait until that one has committed.
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
                .bind(order.created_at - KEPT);
            Ok(query.execute(conn).await?.rows_affected() == 1)
        })
    }

    /// What this person used this key for within the last day.
    pub(crate) async fn find(
        &mut self,
        user_id: Uuid,
        key: &IdempotencyKey,
        now: DateTime<Utc>,
    ) -> Result<Option<Used>, sqlx::Error> {
        const SQL: &str = "
            select order_id, request_hash from idempotency_keys
            where user_id = $1 and key = $2 and created_at > $3";
        on!(self.0, conn => sqlx::query_as(SQL)
            .bind(user_id)
            .bind(key.as_str())
            .bind(now - KEPT)
            .fetch_optional(conn)
            .await)
    }

    /// Forgets some of the keys that stand for nothing any more, and says how many. Their age is asked twice, because PostgreSQL
    /// looks only at the outer condition again where a key was just claimed anew.
    pub(crate) async fn forget_old(&mut self, now: DateTime<Utc>, most: u32) -> Result<u64, sqlx::Error> {
        const SQL: &str = "
            delete from idempotency_keys where created_at <= $1 and (user_id, key) in (
                select user_id, key from idempotency_keys where created_at <= $1 order by created_at limit $2)";
        on!(self.0, conn => {
            let query = sqlx::query(SQL).bind(now - KEPT).bind(i64::from(most));
            Ok(query.execute(conn).await?.rows_affected())
        })
    }
}
