//! The background task that reads new rows, applies them to this process and publishes them to the streams.

use auth::FeedPosition;
use db::{Conn, Tx};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::history::contains;
use super::{CHANNEL, Feed, PAGE};
use crate::store::{FeedRow, GenerationRows, RevocationRows};

impl Feed {
    /// The background task. It reads new rows when this process commits some, when another replica notifies it, and
    /// every 250 ms.
    pub(crate) async fn run(self) {
        let feed = self.clone();
        let _listener = self.0.db.listen(CHANNEL, move || feed.0.wake.notify_one());
        self.poll_repeatedly().await;
    }

    async fn poll_repeatedly(&self) {
        let intervals = self.0.intervals;
        let mut next_head = Instant::now();
        loop {
            let mut wait = intervals.poll;
            match self.poll().await {
                Ok(()) => {
                    let now = Instant::now();
                    // Only after a successful read: readers take silence for an outage.
                    if now >= next_head {
                        self.state().publish_head();
                        next_head = now + intervals.head;
                    }
                    wait = wait.min(next_head - now);
                }
                Err(error) => {
                    if self.state().interrupt() {
                        tracing::warn!(%error, "the revocations can't be read");
                    }
                }
            }
            drop(timeout(wait, self.0.wake.notified()).await);
        }
    }

    /// Reads and publishes the rows that are new since the last call.
    ///
    /// Loads all rows if the database has lost rows that were already read, as after a restored backup or a failover to a standby
    /// that lagged behind. Its counter may have passed the numbers that were read, if another replica wrote since. After an outage too:
    /// the database may have been restored meanwhile.
    pub(super) async fn poll(&self) -> Result<(), sqlx::Error> {
        let Some((position, lowest_counter)) = self.state().read_from() else {
            return self.load().await;
        };
        let mut conn = self.0.db.read().await?;
        let generation = GenerationRows(&mut conn).find(position.generation).await?;
        let has_newest_row = self.has_newest_row(&mut conn).await?;
        let generation = generation.filter(|generation| {
            has_newest_row && generation.counter >= lowest_counter && contains(generation, position.seq)
        });
        let Some(generation) = generation else {
            tracing::warn!(
                seq = position.seq,
                "the database has lost revocations that were already read, as after a restored backup: all are read again"
            );
            drop(conn);
            return self.load().await;
        };
        if generation.newest != position.generation {
            self.state().continue_in(generation.newest);
        }
        if generation.counter > position.seq {
            self.publish_rows(&mut conn, position.seq, generation.counter)
                .await?;
        }
        Ok(())
    }

    async fn publish_rows(&self, conn: &mut Conn, mut after: i64, counter: i64) -> Result<(), sqlx::Error> {
        loop {
            let rows = RevocationRows(conn).page(after, counter, PAGE).await?;
            let is_last = is_last(&rows);
            if rows.iter().any(|(_, row)| row.concerns_keys()) {
                self.reload_keys(conn).await?;
            }
            for (seq, row) in rows {
                if let Some(revocation) = row.clone().into_revocation() {
                    self.apply(revocation);
                }
                self.state().publish(seq, row);
                after = seq;
            }
            if is_last {
                self.state().advance(counter);
                return Ok(());
            }
        }
    }

    /// Starts a generation, and replaces this process's revocations with those of the database. Called before the first request
    /// is accepted, so that no revoked token is accepted.
    pub(crate) async fn load(&self) -> Result<(), sqlx::Error> {
        self.state().begin_load();
        let position = self.start_generation().await?;
        self.reload_keys(&mut self.0.db.read().await?).await?;
        let rows = self.stored_rows(position.seq).await?;
        let newest_row = rows.last().cloned();
        let mut revocations: Vec<_> = rows
            .into_iter()
            .filter_map(|(_, row)| row.into_revocation())
            .collect();

        // Locked until the set is complete, so that a commit is either in it or applied to it.
        let mut state = self.state();
        revocations.extend(state.end_load(position, newest_row));
        self.0.revocations.replace_all(revocations);
        drop(state);
        Ok(())
    }

    /// Starts a generation, and returns the position from which this process continues. Readers of earlier generations can resume,
    /// unless the database has lost a row that this process read: then another replica may have assigned any number again.
    async fn start_generation(&self) -> Result<FeedPosition, sqlx::Error> {
        let (generation, now) = (Uuid::new_v4(), self.0.clock.now());
        let start = async |tx: &mut Tx| {
            let counter = RevocationRows(tx).lock().await?;
            let first = if self.has_newest_row(tx).await? {
                counter + 1
            } else {
                1
            };
            GenerationRows(tx).start(generation, first, now).await?;
            Ok::<_, sqlx::Error>(counter)
        };
        let seq = self.0.db.transaction(start).await?;
        Ok(FeedPosition { generation, seq })
    }

    /// Whether the database has the newest row that this process read. A row that has expired may be deleted soon, by a replica whose
    /// clock is ahead.
    async fn has_newest_row(&self, conn: &mut Conn) -> Result<bool, sqlx::Error> {
        let newest = self.state().newest_row();
        match newest.filter(|(_, row)| row.expires_at() > self.0.clock.unix()) {
            Some((seq, row)) => Ok(RevocationRows(conn).page(seq - 1, seq, 1).await? == [(seq, row)]),
            None => Ok(true),
        }
    }

    async fn stored_rows(&self, up_to: i64) -> Result<Vec<(i64, FeedRow)>, sqlx::Error> {
        let mut conn = self.0.db.read().await?;
        let (mut stored, mut after) = (Vec::new(), 0);
        loop {
            let rows = RevocationRows(&mut conn).page(after, up_to, PAGE).await?;
            let is_last = is_last(&rows);
            after = rows.last().map_or(after, |(seq, _)| *seq);
            stored.extend(rows);
            if is_last {
                return Ok(stored);
            }
        }
    }
}

/// Whether there are no rows after those of this page.
pub(super) fn is_last(page: &[(i64, FeedRow)]) -> bool {
    i64::try_from(page.len()).is_ok_and(|len| len < PAGE)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use actix_web::rt;
    use auth::{FeedEvent, Revocation};
    use db::{Db, on};
    use sqlx::AssertSqlSafe;
    use tokio::time::sleep;

    use super::*;
    use crate::feed::Intervals;
    use crate::feed::encoding::encode;
    use crate::feed::testing::{NEVER, TestFeed};

    const DEADLINE: Duration = Duration::from_secs(20);
    /// The connections that listen in this database.
    const LISTENERS: &str =
        "from pg_stat_activity where datname = current_database() and query like 'LISTEN%'";

    async fn execute(db: &Db, statements: &[&str]) {
        let mut tx = db.begin().await.unwrap();
        for sql in statements {
            let sql = AssertSqlSafe((*sql).to_owned());
            on!(tx, conn => sqlx::query(sql).execute(conn).await.map(drop)).unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Waits until the feed's process has this number of revocations, and returns how long that took.
    async fn wait_for_revocations(feed: &Feed, count: usize) -> Duration {
        let started = Instant::now();
        let wait = async {
            while feed.0.revocations.len() != count {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(DEADLINE, wait).await.unwrap();
        started.elapsed()
    }

    async fn wait_for_listener(db: &Db) {
        let count = format!("select count(*) {LISTENERS}");
        let wait = async {
            loop {
                let mut conn = db.read().await.unwrap();
                let sql = AssertSqlSafe(count.clone());
                let listeners: i64 =
                    on!(conn, conn => sqlx::query_scalar(sql).fetch_one(conn).await).unwrap();
                if listeners > 0 {
                    return;
                }
                drop(conn);
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(DEADLINE, wait).await.unwrap();
    }

    #[actix_web::test]
    async fn a_replica_on_postgresql_learns_of_new_rows_without_a_poll() {
        let test = TestFeed::new(NEVER, 9).await;
        if !test.database.is_postgres() {
            return;
        }
        let task = rt::spawn(test.feed.clone().run());
        let other = test.replica().await;
        wait_for_listener(&test.db).await;
        let mut delays = Vec::new();
        for count in 1..=5 {
            test.commit(&other, test.sessions(1)).await;
            delays.push(wait_for_revocations(&test.feed, count).await);
        }
        let fastest = delays.iter().min().unwrap();
        assert!(*fastest < Duration::from_millis(100), "{delays:?}");
        task.abort();
    }

    #[actix_web::test]
    async fn a_replica_that_is_not_notified_polls() {
        let test = TestFeed::new(Intervals::default(), 9).await;
        let task = rt::spawn(test.feed.clone().run());
        let other = test.replica().await;
        if test.database.is_postgres() {
            wait_for_listener(&test.db).await;
            execute(
                &test.db,
                &[&format!("select pg_terminate_backend(pid) {LISTENERS}")],
            )
            .await;
        }
        test.commit(&other, test.sessions(1)).await;
        let delay = wait_for_revocations(&test.feed, 1).await;
        // The listener connects again after a second.
        assert!(delay < Duration::from_millis(900), "{delay:?}");
        task.abort();
    }

    #[actix_web::test]
    async fn the_set_becomes_that_of_a_restored_database() {
        let test = TestFeed::new(NEVER, 9).await;
        let user = test.issuer.as_user().user();
        let raise_epoch = |by| {
            let (id, epoch) = (user.id(), user.epoch().unwrap() + by);
            let expires_at = test.issuer.clock().unix() + 900;
            vec![FeedRow::from(Revocation::User {
                id,
                epoch,
                expires_at,
            })]
        };
        test.commit(&test.feed, test.sessions(1)).await;
        test.commit(&test.feed, raise_epoch(1)).await;
        test.feed.poll().await.unwrap();
        assert!(test.issuer.revocations().revokes(&user));

        let restore = [
            "delete from revocations where seq > 1",
            "update revocation_counter set seq = 1",
        ];
        execute(&test.db, &restore).await;
        test.feed.poll().await.unwrap();
        assert_eq!(test.issuer.revocations().len(), 1);
        assert!(!test.issuer.revocations().revokes(&user), "it never happened");

        execute(
            &test.db,
            &["delete from revocations", "update revocation_counter set seq = 0"],
        )
        .await;
        let other = test.replica().await;
        test.commit(&other, raise_epoch(1)).await;
        test.feed.poll().await.unwrap();
        assert!(
            test.issuer.revocations().revokes(&user),
            "a number that was assigned twice"
        );
    }

    #[actix_web::test]
    async fn readers_begin_again_if_another_replica_assigned_their_numbers_again() {
        for is_interrupted in [false, true] {
            let test = TestFeed::new(NEVER, 9).await;
            let other = test.replica().await;
            test.commit(&test.feed, test.sessions(1)).await;
            test.feed.poll().await.unwrap();
            other.poll().await.unwrap();
            test.commit(&test.feed, test.sessions(3)).await;
            test.feed.poll().await.unwrap();
            let (position, _) = test.feed.state().read_from().unwrap();
            assert_eq!(position.seq, 4);

            // The other replica has read none of the lost rows.
            let restore = [
                "delete from revocations where seq > 1",
                "update revocation_counter set seq = 1",
            ];
            execute(&test.db, &restore).await;
            test.commit(&other, test.sessions(5)).await;
            if is_interrupted {
                test.feed.state().interrupt();
            }
            test.feed.poll().await.unwrap();
            assert_eq!(test.issuer.revocations().len(), 6, "{is_interrupted}");
            let mut subscription = test.feed.subscribe(Some(position)).await.unwrap();
            let first = subscription.next().await.unwrap().unwrap();
            assert_eq!(first, encode(&FeedEvent::Reset), "{is_interrupted}");
        }
    }

    #[actix_web::test]
    async fn a_revocation_that_is_committed_during_a_load_is_kept() {
        let test = TestFeed::new(NEVER, 9).await;
        let rows = test.sessions(1);
        test.feed.state().begin_load();
        let position = test.feed.start_generation().await.unwrap();
        let stored = test.feed.stored_rows(position.seq).await.unwrap();
        test.commit(&test.feed, rows.clone()).await;
        assert!(stored.is_empty());

        let committed = test.feed.state().end_load(position, None);
        let revocation = rows.into_iter().next().unwrap().into_revocation();
        assert_eq!(committed, revocation.into_iter().collect::<Vec<_>>());
    }

    #[actix_web::test]
    async fn a_failed_load_is_repeated() {
        let test = TestFeed::new(NEVER, 9).await;
        test.commit(&test.feed, test.sessions(1)).await;
        execute(&test.db, &["alter table revocations rename to hidden"]).await;
        assert!(test.feed.poll().await.is_err());
        test.feed.state().interrupt();
        assert!(test.feed.poll().await.is_err());
        assert!(test.feed.state().subscribe().is_none());

        execute(&test.db, &["alter table hidden rename to revocations"]).await;
        test.feed.poll().await.unwrap();
        assert!(test.feed.state().subscribe().is_some());
        assert_eq!(test.issuer.revocations().len(), 1);
    }
}
