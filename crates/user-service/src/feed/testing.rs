//! A feed on its own database, for tests.

use std::time::Duration;

use auth::testing::Issuer;
use auth::{Revocation, Revocations};
use db::Db;
use test_kit::TestDatabase;
use uuid::Uuid;

use super::{Feed, Intervals};
use crate::domain::NAME;
use crate::store::{FeedRow, MIGRATIONS};

/// Longer than any test.
pub(super) const NEVER: Intervals = Intervals {
    poll: Duration::from_secs(3_600),
    head: Duration::from_secs(3_600),
};

pub(super) struct TestFeed {
    pub database: TestDatabase,
    pub db: Db,
    pub issuer: Issuer,
    pub feed: Feed,
}

impl TestFeed {
    /// A loaded feed.
    pub async fn new(intervals: Intervals, buffered_events: usize) -> Self {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let issuer = Issuer::new(NAME);
        let (set, clock) = (issuer.revocations().clone(), issuer.clock().clone());
        let feed = Feed::with(db.clone(), set, clock, intervals, buffered_events);
        feed.load().await.unwrap();
        Self {
            database,
            db,
            issuer,
            feed,
        }
    }

    /// The feed of another replica, with its own revocation set.
    pub async fn replica(&self) -> Feed {
        let clock = self.issuer.clock().clone();
        let set = Revocations::new(clock.clone(), 100_000);
        let feed = Feed::new(self.db.clone(), set, clock);
        feed.load().await.unwrap();
        feed
    }

    /// The revocations of random sessions.
    pub fn sessions(&self, count: usize) -> Vec<FeedRow> {
        let expires_at = self.issuer.clock().unix() + 900;
        let session = || {
            let id = Uuid::new_v4();
            FeedRow::from(Revocation::Session { id, expires_at })
        };
        std::iter::repeat_with(session).take(count).collect()
    }

    /// Commits rows of this feed's process, or of another replica's.
    pub async fn commit(&self, feed: &Feed, rows: Vec<FeedRow>) {
        let mut tx = self.db.begin().await.unwrap();
        let last = feed.store(&mut tx, &rows).await.unwrap();
        tx.commit().await.unwrap();
        feed.committed(rows, last);
    }
}
