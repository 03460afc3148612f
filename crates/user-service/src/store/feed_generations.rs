//! The table `feed_generations`: the generations of the revocation feed, and which sequence numbers belong to which.

use chrono::{DateTime, Utc};
use db::{Conn, on};
use sqlx::FromRow;
use uuid::Uuid;

/// How many generations are kept. A reader with an older one starts from the beginning.
const KEPT: i64 = 100;

/// The place of a generation in the history of the database.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct GenerationRow {
    /// The last sequence number of this database.
    pub counter: i64,
    /// The lowest number with which a later generation began. `None` if there is no later generation.
    pub next_first_seq: Option<i64>,
    /// The newest generation.
    pub newest: Uuid,
}

pub(crate) struct GenerationRows<'c>(pub &'c mut Conn);

impl GenerationRows<'_> {
    /// Starts a generation whose first sequence number is `first_seq`. The counter must be
    /// [locked](crate::store::RevocationRows::lock).
    pub(crate) async fn start(
        &mut self,
        id: Uuid,
        first_seq: i64,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            insert into feed_generations (id, number, first_seq, started_at)
            select $1, coalesce(max(number), 0) + 1, $2, $3 from feed_generations";
        on!(self.0, conn => sqlx::query(SQL).bind(id).bind(first_seq).bind(now).execute(conn).await.map(drop))
    }

    /// Looks up a generation. It is one statement, so its values are of one moment.
    pub(crate) async fn find(&mut self, id: Uuid) -> Result<Option<GenerationRow>, sqlx::Error> {
        const SQL: &str = "
            select c.seq as counter,
                (select min(first_seq) from feed_generations where number > g.number) as next_first_seq,
                (select id from feed_generations order by number desc limit 1) as newest
            from feed_generations g cross join revocation_counter c where g.id = $1";
        on!(self.0, conn => sqlx::query_as(SQL).bind(id).fetch_optional(conn).await)
    }

    /// Deletes all but the newest 100 generations.
    pub(crate) async fn delete_old(&mut self) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            delete from feed_generations
            where number <= (select max(number) from feed_generations) - $1";
        on!(self.0, conn => sqlx::query(SQL).bind(KEPT).execute(conn).await.map(drop))
    }
}

#[cfg(test)]
mod tests {
    use db::Db;
    use test_kit::TestDatabase;

    use super::*;
    use crate::store::MIGRATIONS;

    #[actix_web::test]
    async fn the_newest_hundred_generations_are_kept() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        for number in 1..=102 {
            let id = Uuid::from_u128(number);
            GenerationRows(&mut tx)
                .start(id, i64::try_from(number).unwrap() * 10, DateTime::UNIX_EPOCH)
                .await
                .unwrap();
        }
        GenerationRows(&mut tx).delete_old().await.unwrap();
        tx.commit().await.unwrap();

        let mut conn = db.read().await.unwrap();
        for (number, next_first_seq) in [(2, None), (3, Some(Some(40))), (102, Some(None))] {
            let found = GenerationRows(&mut conn)
                .find(Uuid::from_u128(number))
                .await
                .unwrap();
            assert_eq!(found.as_ref().map(|found| found.next_first_seq), next_first_seq);
            assert!(found.is_none_or(|found| found.newest == Uuid::from_u128(102)));
        }
    }
}
