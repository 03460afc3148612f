//! The stream of one reader.
//!
//! It reads rows from the database until it has reached the publisher, then follows the publisher. A stream that lags too far
//! behind reads from the database again. It holds no database connection while the client reads.

use actix_web::web::{Bytes, BytesMut};
use auth::{FeedEvent, FeedPosition};
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

use super::encoding::{encode, event_of};
use super::history::contains;
use super::publisher::is_last;
use super::state::{Message, Receiver};
use super::{Feed, PAGE};
use crate::store::{FeedRow, GenerationRow, GenerationRows, RevocationRows};

/// The stream of one reader.
pub(crate) struct Subscription {
    feed: Feed,
    receiver: Receiver,
    /// The reader has everything up to this position.
    position: FeedPosition,
    phase: Phase,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Reads rows up to this number.
    Reading {
        up_to: i64,
        then: Then,
    },
    /// Follows the publisher.
    Following,
    /// The reader must begin again.
    Reset,
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// The reader gets `ready`. Until then, expired rows may be left out.
    Ready,
    /// The reader was ready before.
    Continue,
}

impl Feed {
    /// Subscribes a reader that has everything up to this position. Without a position it has nothing.
    ///
    /// # Errors
    /// If the database is unavailable.
    pub(crate) async fn subscribe(&self, after: Option<FeedPosition>) -> Result<Subscription, sqlx::Error> {
        // The publisher has noticed an outage. It has to check the history before anyone relies on it.
        let receiver = self.state().subscribe().ok_or(sqlx::Error::PoolTimedOut)?;
        let generation = receiver.position.generation;
        let after = after.unwrap_or(FeedPosition { generation, seq: 0 });
        let found = self.find(after.generation).await?;
        let phase = match found.filter(|found| contains(found, after.seq)) {
            // The publisher may not have read the newest rows yet.
            Some(found) => Phase::Reading {
                up_to: found.counter,
                then: Then::Ready,
            },
            None => Phase::Reset,
        };
        Ok(Subscription {
            feed: self.clone(),
            receiver,
            position: FeedPosition {
                generation,
                seq: after.seq,
            },
            phase,
        })
    }

    async fn find(&self, generation: Uuid) -> Result<Option<GenerationRow>, sqlx::Error> {
        let _permit = self.0.reads.acquire().await;
        let mut conn = self.0.db.read().await?;
        GenerationRows(&mut conn).find(generation).await
    }

    async fn page(&self, after: i64, up_to: i64) -> Result<Vec<(i64, FeedRow)>, sqlx::Error> {
        let _permit = self.0.reads.acquire().await;
        let mut conn = self.0.db.read().await?;
        RevocationRows(&mut conn).page(after, up_to, PAGE).await
    }
}

impl Subscription {
    /// The events as bytes. The stream fails when the database can't be read, and ends after a reset and when the publisher has
    /// loaded all rows again.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<Bytes, sqlx::Error>> {
        unfold(self, |mut subscription| async {
            let item = subscription.next().await?;
            Some((item, subscription))
        })
    }

    pub(super) async fn next(&mut self) -> Option<Result<Bytes, sqlx::Error>> {
        loop {
            let bytes = match self.phase {
                Phase::Reading { up_to, then } => match self.read(up_to, then).await {
                    Ok(bytes) => bytes,
                    Err(error) => {
                        self.phase = Phase::Ended;
                        return Some(Err(error));
                    }
                },
                Phase::Following => self.follow().await,
                Phase::Reset => {
                    self.phase = Phase::Ended;
                    encode(&FeedEvent::Reset)
                }
                Phase::Ended => return None,
            };
            if !bytes.is_empty() {
                return Some(Ok(bytes));
            }
        }
    }

    /// Reads a page of rows, and follows the publisher after the last one.
    async fn read(&mut self, up_to: i64, then: Then) -> Result<Bytes, sqlx::Error> {
        let rows = self.feed.page(self.position.seq, up_to).await?;
        // The rows may not belong to the history. When the reader comes back, its position decides.
        if self.feed.state().position_since(self.receiver.load).is_none() {
            self.phase = Phase::Ended;
            return Ok(Bytes::new());
        }
        let is_last = is_last(&rows);
        let now = self.feed.0.clock.now();
        let mut bytes = BytesMut::new();
        for (seq, row) in rows {
            self.position.seq = seq;
            if then == Then::Continue || row.matters_at(now) {
                bytes.extend_from_slice(&encode(&event_of(row, self.position)));
            }
        }
        if is_last {
            // Rows up to this number that were not there have expired.
            self.position.seq = self.position.seq.max(up_to);
            if then == Then::Ready {
                bytes.extend_from_slice(&encode(&FeedEvent::Ready(self.position)));
            }
            self.phase = Phase::Following;
        }
        Ok(bytes.freeze())
    }

    /// Waits for the next message of the publisher.
    async fn follow(&mut self) -> Bytes {
        match self.receiver.messages.recv().await {
            Ok(Message::Row { seq, event }) if seq > self.position.seq => {
                self.position.seq = seq;
                event
            }
            // The stream has read this row from the database.
            Ok(Message::Row { .. }) => Bytes::new(),
            Ok(Message::Head(event)) => event,
            Ok(Message::Generation(generation)) => self.continue_in(generation),
            Err(RecvError::Lagged(_)) => self.read_what_was_missed(),
            Ok(Message::Loaded) | Err(RecvError::Closed) => {
                self.phase = Phase::Ended;
                Bytes::new()
            }
        }
    }

    /// Gives the reader its position in a newer generation of the same history.
    fn continue_in(&mut self, generation: Uuid) -> Bytes {
        self.position.generation = generation;
        encode(&FeedEvent::Ready(self.position))
    }

    /// Messages were dropped because the client reads too slowly.
    fn read_what_was_missed(&mut self) -> Bytes {
        let subscribed = self.feed.state().subscribe();
        let Some(receiver) = subscribed.filter(|receiver| receiver.load == self.receiver.load) else {
            self.phase = Phase::Ended;
            return Bytes::new();
        };
        let FeedPosition { generation, seq } = receiver.position;
        self.receiver = receiver;
        self.phase = Phase::Reading {
            up_to: seq,
            then: Then::Continue,
        };
        if generation == self.position.generation {
            Bytes::new()
        } else {
            self.continue_in(generation)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::time::Duration;

    use futures_util::StreamExt as _;
    use tokio::time::timeout;

    use super::*;
    use crate::feed::testing::{NEVER, TestFeed};

    /// How long a test waits for the next event.
    const DEADLINE: Duration = Duration::from_secs(20);

    type Events<'s> = Pin<&'s mut dyn Stream<Item = Result<Bytes, sqlx::Error>>>;

    /// The ids of the next events, up to the one with this number.
    async fn read_up_to(events: &mut Events<'_>, last: i64) -> Vec<i64> {
        let mut seqs = Vec::new();
        while seqs.last() != Some(&last) {
            let next = timeout(DEADLINE, events.next()).await;
            let bytes = next.unwrap().unwrap().unwrap();
            let text = std::str::from_utf8(&bytes).unwrap();
            let ids = text.lines().filter_map(|line| line.strip_prefix("id: "));
            seqs.extend(ids.map(|id| id.parse::<FeedPosition>().unwrap().seq));
        }
        seqs
    }

    #[actix_web::test]
    async fn a_stream_that_lags_behind_misses_nothing() {
        let test = TestFeed::new(NEVER, 4).await;
        let feed = &test.feed;
        let mut events = pin!(feed.subscribe(None).await.unwrap().into_stream());
        let mut events: Events<'_> = events.as_mut();
        assert_eq!(read_up_to(&mut events, 0).await, [0], "ready");

        test.commit(feed, test.sessions(2_500)).await;
        feed.poll().await.unwrap();
        assert_eq!(read_up_to(&mut events, 2_000).await.len(), 2_000);
        // More than it can buffer, while it reads the database.
        test.commit(feed, test.sessions(6)).await;
        feed.poll().await.unwrap();
        let rest = read_up_to(&mut events, 2_506).await;
        assert_eq!(rest, (2_001..=2_506).collect::<Vec<_>>());

        test.commit(feed, test.sessions(1)).await;
        feed.poll().await.unwrap();
        assert_eq!(read_up_to(&mut events, 2_507).await, [2_507]);
    }

    #[actix_web::test]
    async fn a_stream_that_lags_behind_a_new_generation_learns_of_it() {
        let test = TestFeed::new(NEVER, 4).await;
        let feed = &test.feed;
        let mut subscription = feed.subscribe(None).await.unwrap();
        subscription.next().await.unwrap().unwrap();
        let other = test.replica().await;
        test.commit(&other, test.sessions(9)).await;
        feed.poll().await.unwrap();

        let first = subscription.next().await.unwrap().unwrap();
        let position = other.state().read_from().unwrap().0;
        let ready = FeedEvent::Ready(FeedPosition { seq: 0, ..position });
        assert_eq!(first, encode(&ready));
        let mut events = pin!(subscription.into_stream());
        let mut events: Events<'_> = events.as_mut();
        assert_eq!(read_up_to(&mut events, 9).await, (1..=9).collect::<Vec<_>>());
    }

    #[actix_web::test]
    async fn a_stream_that_lags_behind_a_load_ends() {
        let test = TestFeed::new(NEVER, 4).await;
        let mut subscription = test.feed.subscribe(None).await.unwrap();
        subscription.next().await.unwrap().unwrap();
        test.feed.load().await.unwrap();
        test.commit(&test.feed, test.sessions(9)).await;
        test.feed.poll().await.unwrap();

        assert!(subscription.next().await.is_none());
    }

    #[actix_web::test]
    async fn a_snapshot_that_a_load_interrupts_is_never_ready() {
        let test = TestFeed::new(NEVER, 4).await;
        test.commit(&test.feed, test.sessions(1_500)).await;
        test.feed.poll().await.unwrap();
        let mut subscription = test.feed.subscribe(None).await.unwrap();
        subscription.next().await.unwrap().unwrap();
        test.feed.load().await.unwrap();

        assert!(subscription.next().await.is_none());
    }

    #[actix_web::test]
    async fn streams_hold_no_connection_while_their_clients_read() {
        /// More than the pools of either engine have.
        const STREAMS: usize = 12;
        let test = TestFeed::new(NEVER, 4).await;
        test.commit(&test.feed, test.sessions(1_500)).await;
        test.feed.poll().await.unwrap();
        let mut streams = Vec::new();
        for _ in 0..STREAMS {
            let mut subscription = test.feed.subscribe(None).await.unwrap();
            subscription.next().await.unwrap().unwrap();
            streams.push(subscription);
        }
        assert_eq!(streams.len(), STREAMS);
    }
}
