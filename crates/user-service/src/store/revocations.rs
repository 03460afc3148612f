//! The table `revocations`. It keeps a revocation until all tokens that it revokes have expired.

use auth::Revocation;
use chrono::{DateTime, Utc};
use db::{Conn, on};
use uuid::Uuid;

pub(crate) struct RevocationRows<'c>(pub &'c mut Conn);

impl RevocationRows<'_> {
    /// Adds revocations, each with the next sequence number. This locks the counter until the transaction ends. So rows become
    /// visible in the order of their numbers, and a replica that polls by number misses no revocation.
    pub(crate) async fn add(&mut self, revocations: &[Revocation]) -> Result<(), sqlx::Error> {
        const NEXT: &str = "update revocation_counter set seq = seq + $1 returning seq";
        const ADD: &str =
            "insert into revocations (seq, kind, id, epoch, expires_at) values ($1, $2, $3, $4, $5)";
        let Ok(count @ 1..) = i64::try_from(revocations.len()) else {
            return Ok(());
        };
        on!(self.0, conn => {
            let last: i64 = sqlx::query_scalar(NEXT).bind(count).fetch_one(&mut *conn).await?;
            for (seq, revocation) in (last - count + 1..).zip(revocations) {
                let (kind, id, epoch, expires_at) = match *revocation {
                    Revocation::Session { id, expires_at } => ("session", id, None, expires_at),
                    Revocation::User { id, epoch, expires_at } => ("user", id, Some(epoch), expires_at),
                };
                sqlx::query(ADD)
                    .bind(seq)
                    .bind(kind)
                    .bind(id)
                    .bind(epoch)
                    .bind(DateTime::from_timestamp(expires_at, 0))
                    .execute(&mut *conn)
                    .await?;
            }
            Ok(())
        })
    }

    /// The last sequence number that was assigned. Every row up to this number is visible or has expired.
    pub(crate) async fn last_seq(&mut self) -> Result<i64, sqlx::Error> {
        const SQL: &str = "select seq from revocation_counter";
        on!(self.0, conn => sqlx::query_scalar(SQL).fetch_one(conn).await)
    }

    /// The revocations after this sequence number, each with its number, in order.
    pub(crate) async fn after(&mut self, seq: i64) -> Result<Vec<(i64, Revocation)>, sqlx::Error> {
        const SQL: &str = "select seq, id, epoch, expires_at from revocations where seq > $1 order by seq";
        let rows: Vec<(i64, Uuid, Option<i64>, DateTime<Utc>)> =
            on!(self.0, conn => sqlx::query_as(SQL).bind(seq).fetch_all(conn).await)?;
        let revocation = |(seq, id, epoch, expires_at): (_, _, _, DateTime<Utc>)| {
            let expires_at = expires_at.timestamp();
            match epoch {
                Some(epoch) => (
                    seq,
                    Revocation::User {
                        id,
                        epoch,
                        expires_at,
                    },
                ),
                None => (seq, Revocation::Session { id, expires_at }),
            }
        };
        Ok(rows.into_iter().map(revocation).collect())
    }

    /// Deletes revocations whose tokens have all expired.
    pub(crate) async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        const SQL: &str = "delete from revocations where expires_at <= $1";
        on!(self.0, conn => sqlx::query(SQL).bind(now).execute(conn).await.map(drop))
    }
}
