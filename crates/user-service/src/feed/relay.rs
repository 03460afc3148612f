//! Relays the feed to NATS JetStream: the rows that this process publishes, in order, and a head each second.
//!
//! Each replica relays all rows, and the broker drops those that it has. The relay reads rows from the database, so it never holds up
//! the publisher, and an outage of the broker loses none. Heads come after the rows before them, so a reader that hears one knows that
//! rows reach it too.

use std::time::Duration;

use auth::nats::{NatsError, NatsUrl};
use auth::{Backoff, FeedEvent, FeedPosition};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::sleep;

use super::encoding::event_of;
use super::history::contains;
use super::jetstream::Stream;
use super::publisher::is_last;
use super::state::{Message, Receiver};
use super::{Feed, PAGE};
use crate::domain::Lifetimes;
use crate::store::{FeedRow, GenerationRows, RevocationRows};

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));

/// Why the relay must begin again.
#[derive(Debug, thiserror::Error)]
enum Interruption {
    #[error("NATS: {0}")]
    Nats(#[from] NatsError),
    #[error("the revocations can't be read: {0}")]
    Database(#[from] sqlx::Error),
    /// The publisher has loaded all rows: what was relayed may not be in the history of the database.
    #[error("the revocations were loaded again")]
    Loaded,
}

/// The task that relays the feed.
#[derive(Clone, Debug)]
pub(crate) struct Relay {
    feed: Feed,
    url: NatsUrl,
    lifetimes: Lifetimes,
}

impl Feed {
    /// A relay to the broker with this URL, which keeps messages until no token is left that they could revoke.
    pub(crate) fn relay(&self, url: NatsUrl, lifetimes: Lifetimes) -> Relay {
        Relay {
            feed: self.clone(),
            url,
            lifetimes,
        }
    }
}

impl Relay {
    /// The background task.
    pub(crate) async fn run(self) {
        let (mut failures, mut is_outage_logged) = (0_u32, false);
        loop {
            let interruption = match self.open().await {
                Ok(session) => {
                    if std::mem::take(&mut is_outage_logged) {
                        tracing::info!("revocations are relayed to NATS again");
                    }
                    failures = 0;
                    session.run().await
                }
                Err(interruption) => interruption,
            };
            let is_outage = matches!(interruption, Interruption::Nats(_));
            failures = failures.saturating_add(1);
            if is_outage && !std::mem::replace(&mut is_outage_logged, true) {
                tracing::warn!(error = %interruption, "revocations are not relayed to NATS");
            } else {
                tracing::debug!(error = %interruption, "the relay to NATS begins again");
            }
            sleep(BACKOFF.delay(failures)).await;
        }
    }

    async fn open(&self) -> Result<Session<'_>, Interruption> {
        let stream = Stream::open(&self.url, self.lifetimes).await?;
        let receiver = self.feed.state().subscribe();
        // The publisher has noticed an outage of the database, and will load all rows.
        let receiver = receiver.ok_or(Interruption::Loaded)?;
        let relayed = match stream.newest().await? {
            Some(newest) if self.is_in_history(newest).await? => newest.seq,
            // Readers notice what is missing, and ask this service for it.
            _ => receiver.position.seq,
        };
        Ok(Session {
            feed: &self.feed,
            stream,
            receiver,
            relayed,
        })
    }

    async fn is_in_history(&self, position: FeedPosition) -> Result<bool, sqlx::Error> {
        let mut conn = self.feed.0.db.read().await?;
        let generation = GenerationRows(&mut conn).find(position.generation).await?;
        Ok(generation.is_some_and(|generation| contains(&generation, position.seq)))
    }
}

/// A connection to the broker, while the history of the database continues.
struct Session<'f> {
    feed: &'f Feed,
    stream: Stream,
    receiver: Receiver,
    /// The broker has all rows up to this number.
    relayed: i64,
}

impl Session<'_> {
    async fn run(mut self) -> Interruption {
        loop {
            if let Err(interruption) = self.relay_rows().await {
                return interruption;
            }
            let is_head_due = match self.wait().await {
                Ok(is_head_due) => is_head_due,
                Err(interruption) => return interruption,
            };
            if is_head_due && let Err(interruption) = self.relay_head().await {
                return interruption;
            }
        }
    }

    /// Waits for messages of the publisher. Returns whether one was a head.
    async fn wait(&mut self) -> Result<bool, Interruption> {
        let mut is_head_due = false;
        let mut message = match self.receiver.messages.recv().await {
            Ok(message) => Some(message),
            Err(RecvError::Lagged(_)) => None,
            Err(RecvError::Closed) => return Err(Interruption::Loaded),
        };
        loop {
            match message {
                Some(Message::Loaded) => return Err(Interruption::Loaded),
                Some(Message::Head(_)) => is_head_due = true,
                Some(Message::Generation(_) | Message::Row { .. }) | None => {}
            }
            message = match self.receiver.messages.try_recv() {
                Ok(message) => Some(message),
                Err(TryRecvError::Lagged(_)) => None,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return Ok(is_head_due),
            };
        }
    }

    /// Relays the rows that were published since the last call.
    async fn relay_rows(&mut self) -> Result<(), Interruption> {
        loop {
            let published = self.published()?;
            if published.seq <= self.relayed {
                return Ok(());
            }
            let rows = self.page(published.seq).await?;
            // Rows that were read during a load may not belong to the history.
            self.published()?;
            let is_last = is_last(&rows);
            let last = rows.last().map_or(published.seq, |(seq, _)| *seq);
            let now = self.feed.0.clock.now();
            let events = rows
                .into_iter()
                .filter(|(_, row)| row.matters_at(now))
                .map(|(seq, row)| event_of(row, FeedPosition { seq, ..published }));
            self.stream.publish(events).await?;
            self.relayed = if is_last { published.seq } else { last };
        }
    }

    async fn relay_head(&mut self) -> Result<(), Interruption> {
        // Rows may have been published since.
        self.relay_rows().await?;
        let published = self.published()?;
        if published.seq == self.relayed {
            self.stream
                .publish(std::iter::once(FeedEvent::Head(published)))
                .await?;
        }
        Ok(())
    }

    /// The position that the publisher has reached.
    fn published(&self) -> Result<FeedPosition, Interruption> {
        let position = self.feed.state().position_since(self.receiver.load);
        position.ok_or(Interruption::Loaded)
    }

    async fn page(&self, up_to: i64) -> Result<Vec<(i64, FeedRow)>, sqlx::Error> {
        let mut conn = self.feed.0.db.read().await?;
        RevocationRows(&mut conn).page(self.relayed, up_to, PAGE).await
    }
}
