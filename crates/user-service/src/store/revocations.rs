//! The table `revocations`: the events of the revocation feed. It keeps a row until nothing that the row affects can be valid.

use auth::Revocation;
use chrono::{DateTime, Utc};
use db::{Conn, on};
use sqlx::FromRow;
use uuid::Uuid;

use crate::domain::MAX_CLOCK_DIFFERENCE;

/// A row of the revocation feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FeedRow {
    /// Tokens were revoked.
    Revocation(Revocation),
    /// The published keys have changed. The row may be deleted at this time, in Unix seconds.
    KeysChanged { expires_at: i64 },
}

impl FeedRow {
    /// The time from which the row has no effect, in Unix seconds.
    pub(crate) fn expires_at(&self) -> i64 {
        match self {
            Self::Revocation(revocation) => revocation.expires_at(),
            Self::KeysChanged { expires_at } => *expires_at,
        }
    }

    /// Whether a verifier may still need the row at this time. Its clock may be behind this one.
    pub(crate) fn matters_at(&self, now: DateTime<Utc>) -> bool {
        self.expires_at() > (now - MAX_CLOCK_DIFFERENCE).timestamp()
    }

    /// Whether the published keys may have changed.
    pub(crate) fn concerns_keys(&self) -> bool {
        matches!(
            self,
            Self::Revocation(Revocation::Key { .. }) | Self::KeysChanged { .. }
        )
    }

    /// The revocation, if it is one.
    pub(crate) fn into_revocation(self) -> Option<Revocation> {
        match self {
            Self::Revocation(revocation) => Some(revocation),
            Self::KeysChanged { .. } => None,
        }
    }
}

impl From<Revocation> for FeedRow {
    fn from(revocation: Revocation) -> Self {
        Self::Revocation(revocation)
    }
}

pub(crate) struct RevocationRows<'c>(pub &'c mut Conn);

impl RevocationRows<'_> {
    /// Adds rows, each with the next sequence number, and returns the last number. This locks the counter until the transaction
    /// ends. So rows become visible in the order of their numbers, and a replica that polls by number misses no row.
    pub(crate) async fn add(&mut self, rows: &[FeedRow]) -> Result<i64, sqlx::Error> {
        const ADD: &str =
            "insert into revocations (seq, kind, id, epoch, kid, expires_at) values ($1, $2, $3, $4, $5, $6)";
        let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let last = self.advance(count).await?;
        on!(self.0, conn => {
            for (seq, row) in (last - count + 1..).zip(rows) {
                let columns = Columns::of(row);
                sqlx::query(ADD)
                    .bind(seq)
                    .bind(columns.kind)
                    .bind(columns.id)
                    .bind(columns.epoch)
                    .bind(columns.kid)
                    .bind(DateTime::from_timestamp(row.expires_at(), 0))
                    .execute(&mut *conn)
                    .await?;
            }
            Ok(last)
        })
    }

    /// Locks the counter until the transaction ends, and returns the last sequence number.
    pub(crate) async fn lock(&mut self) -> Result<i64, sqlx::Error> {
        self.advance(0).await
    }

    async fn advance(&mut self, count: i64) -> Result<i64, sqlx::Error> {
        const SQL: &str = "update revocation_counter set seq = seq + $1 returning seq";
        on!(self.0, conn => sqlx::query_scalar(SQL).bind(count).fetch_one(conn).await)
    }

    /// The first `limit` rows with numbers greater than `after` and up to `up_to`, each with its number, in order.
    pub(crate) async fn page(
        &mut self,
        after: i64,
        up_to: i64,
        limit: i64,
    ) -> Result<Vec<(i64, FeedRow)>, sqlx::Error> {
        const SQL: &str = "
            select seq, kind, id, epoch, kid, expires_at from revocations
            where seq > $1 and seq <= $2 order by seq limit $3";
        let rows: Vec<Row> = on!(self.0, conn => {
            sqlx::query_as(SQL).bind(after).bind(up_to).bind(limit).fetch_all(conn).await
        })?;
        rows.into_iter().map(Row::decode).collect()
    }

    /// Deletes expired rows.
    pub(crate) async fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        const SQL: &str = "delete from revocations where expires_at <= $1";
        on!(self.0, conn => sqlx::query(SQL).bind(now).execute(conn).await.map(drop))
    }
}

/// The columns whose values depend on the kind of the row.
struct Columns<'r> {
    kind: &'static str,
    id: Option<Uuid>,
    epoch: Option<i64>,
    kid: Option<&'r str>,
}

impl<'r> Columns<'r> {
    fn of(row: &'r FeedRow) -> Self {
        let of_kind = |kind| Self {
            kind,
            id: None,
            epoch: None,
            kid: None,
        };
        match row {
            FeedRow::Revocation(Revocation::Session { id, .. }) => Self {
                id: Some(*id),
                ..of_kind("session")
            },
            FeedRow::Revocation(Revocation::User { id, epoch, .. }) => Self {
                id: Some(*id),
                epoch: Some(*epoch),
                ..of_kind("user")
            },
            FeedRow::Revocation(Revocation::Key { kid, .. }) => Self {
                kid: Some(kid),
                ..of_kind("key")
            },
            FeedRow::KeysChanged { .. } => of_kind("keys"),
        }
    }
}

#[derive(FromRow)]
struct Row {
    seq: i64,
    kind: String,
    id: Option<Uuid>,
    epoch: Option<i64>,
    kid: Option<String>,
    expires_at: DateTime<Utc>,
}

impl Row {
    fn decode(self) -> Result<(i64, FeedRow), sqlx::Error> {
        let expires_at = self.expires_at.timestamp();
        let row = match (self.kind.as_str(), self.id, self.epoch, self.kid) {
            ("session", Some(id), None, None) => Revocation::Session { id, expires_at }.into(),
            ("user", Some(id), Some(epoch), None) => Revocation::User {
                id,
                epoch,
                expires_at,
            }
            .into(),
            ("key", None, None, Some(kid)) => Revocation::Key { kid, expires_at }.into(),
            ("keys", None, None, None) => FeedRow::KeysChanged { expires_at },
            // To skip it could leave a token valid that was revoked.
            (kind, ..) => {
                let error = format!("revocation {} of the kind {kind:?} can't be read", self.seq);
                return Err(sqlx::Error::Decode(error.into()));
            }
        };
        Ok((self.seq, row))
    }
}

#[cfg(test)]
mod tests {
    use db::Db;
    use test_kit::TestDatabase;

    use super::*;
    use crate::store::MIGRATIONS;

    #[actix_web::test]
    async fn rows_of_each_kind_are_read_in_pages_as_they_were_added() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let (id, expires_at) = (Uuid::from_u128(7), 1_000);
        let rows: [FeedRow; 4] = [
            Revocation::Session { id, expires_at }.into(),
            Revocation::User {
                id,
                epoch: 0,
                expires_at,
            }
            .into(),
            Revocation::Key {
                kid: "k".to_owned(),
                expires_at,
            }
            .into(),
            FeedRow::KeysChanged { expires_at },
        ];
        let mut tx = db.begin().await.unwrap();
        assert_eq!(RevocationRows(&mut tx).add(&rows[..1]).await.unwrap(), 1);
        assert_eq!(RevocationRows(&mut tx).add(&rows[1..]).await.unwrap(), 4);
        tx.commit().await.unwrap();

        let mut conn = db.read().await.unwrap();
        let all: Vec<_> = (1..).zip(rows).collect();
        for (after, up_to, limit, expected) in [
            (0, 4, 4, &all[..]),
            (0, 4, 2, &all[..2]),
            (2, 4, 2, &all[2..]),
            (1, 3, 9, &all[1..3]),
            (4, 9, 9, &[]),
        ] {
            let page = RevocationRows(&mut conn).page(after, up_to, limit).await;
            assert_eq!(page.unwrap(), expected, "after {after} up to {up_to}");
        }
    }
}
