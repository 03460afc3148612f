//! The task that follows the feed: connects, applies events, and connects again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::Counts;
use super::event::{FeedEvent, InvalidFeedEvent};
use super::follower::{Effect, Follower, OutOfSync};
use super::report::Reporter;
use super::sse::{EventParser, InvalidStream};
use crate::backoff::Backoff;
use crate::client::{CallError, ServiceClient};
use crate::clock::Clock;
use crate::freshness::STALE_AFTER;
use crate::keys::Keys;
use crate::outgoing::SILENT_AT_START;
use crate::revocations::Revocations;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// After this silence the connection is given up. The publisher sends an event each second.
const SILENCE: Duration = Duration::from_secs(STALE_AFTER.unsigned_abs());
/// The delay before the reader connects again. It is random, so that many readers don't all come at once when the publisher
/// restarts, and short, so that they know soon what they missed.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(2));

/// Follows the feed.
#[derive(Debug)]
pub(super) struct Reader {
    client: ServiceClient,
    instance: Uuid,
    follower: Follower,
    counts: Arc<Counts>,
    keys: Keys,
    keys_changed: Arc<Notify>,
    /// Connections that ended without becoming ready, in a row.
    failures: u32,
    started: Instant,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the publisher answered with status {0}")]
    Status(StatusCode),
    #[error("nothing was heard for {} seconds", SILENCE.as_secs())]
    Silence,
    #[error("the publisher closed the connection")]
    Closed,
    #[error(transparent)]
    OutOfSync(#[from] OutOfSync),
    #[error(transparent)]
    Event(#[from] InvalidFeedEvent),
    #[error(transparent)]
    Stream(#[from] InvalidStream),
}

impl Reader {
    pub fn new(
        client: ServiceClient,
        instance: Uuid,
        revocations: Revocations,
        keys: Keys,
        clock: Clock,
        counts: Arc<Counts>,
    ) -> Self {
        Self {
            counts,
            client,
            instance,
            follower: Follower::new(revocations, clock),
            keys,
            keys_changed: Arc::default(),
            failures: 0,
            started: Instant::now(),
        }
    }

    /// Follows the feed until the future is dropped.
    pub async fn run(mut self) {
        let reporter = Reporter {
            client: self.client.clone(),
            instance: self.instance,
            keys: self.keys.clone(),
            changed: Arc::clone(&self.keys_changed),
        };
        tokio::join!(reporter.run(), self.follow());
    }

    async fn follow(&mut self) {
        loop {
            let ended = match self.read_connection().await {
                Ok(never) => match never {},
                Err(ended) => ended,
            };
            self.failures = self.failures.saturating_add(1);
            let delay = BACKOFF.delay(self.failures);
            let is_starting = !self.follower.has_snapshot() && self.started.elapsed() < SILENT_AT_START;
            // The publisher closes connections when it stops, and when the reader's token expires.
            if is_starting || self.failures == 1 && matches!(ended, Ended::Closed) {
                tracing::debug!(error = %ended, ?delay, "the revocation feed ended; connecting again");
            } else {
                tracing::warn!(error = %ended, ?delay, "the revocation feed is interrupted; connecting again");
            }
            sleep(delay).await;
        }
    }

    /// Connects and applies events until the connection ends.
    async fn read_connection(&mut self) -> Result<std::convert::Infallible, Ended> {
        self.counts.connections.fetch_add(1, Ordering::Relaxed);
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(position) = self.follower.connect()
            && let Ok(id) = HeaderValue::try_from(position.to_string())
        {
            headers.insert(LAST_EVENT_ID, id);
        }
        let path = format!("/internal/revocations?instance={}", self.instance);
        let mut response = self.client.open_stream(&path, headers).await?;
        if response.status() != StatusCode::OK {
            return Err(Ended::Status(response.status()));
        }
        let mut parser = EventParser::default();
        loop {
            let chunk = timeout(SILENCE, response.chunk())
                .await
                .map_err(|_| Ended::Silence)?;
            let Some(chunk) = chunk.map_err(CallError::NoResponse)? else {
                return Err(Ended::Closed);
            };
            parser.read(&chunk, |event| {
                self.receive(FeedEvent::parse(&event.name, &event.data, &event.id)?)
            })?;
        }
    }

    fn receive(&mut self, event: FeedEvent) -> Result<(), Ended> {
        self.counts.events.fetch_add(1, Ordering::Relaxed);
        match self.follower.receive(event)? {
            Effect::Nothing => {}
            Effect::Ready => {
                self.failures = 0;
                // Keys may have changed while there was no connection.
                self.keys_changed.notify_one();
            }
            Effect::KeysChanged => self.keys_changed.notify_one(),
        }
        Ok(())
    }
}
