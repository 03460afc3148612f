//! The task that follows the feed: receives events, applies them, and decides which transport to follow.
//!
//! HTTP comes first, because only the publisher can repeat events. The reader changes to NATS when a head arrives there that it has
//! reached, and returns to HTTP when an event is missing or the broker fails. No event is lost in between: the follower notices a
//! missing one by its number.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::Counts;
use super::event::FeedEvent;
use super::follower::{Effect, Follower};
use super::link::Link;
use super::report::Reporter;
use super::transport::{Ended, Transport};
use crate::backoff::Backoff;
use crate::outgoing::SILENT_AT_START;

/// The delay before the reader connects again. It is short, so that readers know soon what they missed.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(2));
/// The same before the first snapshot, while the publisher may be starting too: the service is not ready without a snapshot.
const BACKOFF_AT_START: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_millis(250));
/// The same for the broker. Meanwhile there is HTTP.
const NATS_BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));

/// How long the broker must have worked, so that a failure does not count as one in a row. A broker that loses a message each second
/// should be left alone.
const NATS_STABLE_AFTER: Duration = Duration::from_secs(10);

/// Follows the feed.
pub(super) struct Reader {
    follower: Follower,
    counts: Arc<Counts>,
    keys_changed: Arc<Notify>,
    http: Link,
    nats: Option<Link>,
    started: Instant,
}

enum Heard {
    OverHttp(Result<FeedEvent, Ended>),
    OverNats(Result<FeedEvent, Ended>),
}

impl Reader {
    /// A reader that follows `nats`, if there is one, while it works.
    pub fn new(
        http: Box<dyn Transport>,
        nats: Option<Box<dyn Transport>>,
        follower: Follower,
        counts: Arc<Counts>,
    ) -> Self {
        Self {
            follower,
            counts,
            keys_changed: Arc::default(),
            http: Link::new(http, Duration::ZERO),
            nats: nats.map(|nats| Link::new(nats, NATS_STABLE_AFTER)),
            started: Instant::now(),
        }
    }

    /// Wakes when the published keys may have changed.
    pub fn keys_changed(&self) -> Arc<Notify> {
        Arc::clone(&self.keys_changed)
    }

    /// Follows the feed until the future is dropped.
    pub async fn run(mut self, reporter: Reporter) {
        tokio::join!(reporter.run(), self.follow());
    }

    async fn follow(&mut self) {
        loop {
            match self.next().await {
                Heard::OverHttp(event) => {
                    if let Err(ended) = event.and_then(|event| self.receive(event)) {
                        self.http_failed(&ended);
                    }
                }
                Heard::OverNats(Ok(event)) if !self.is_over_nats() => self.compare(event),
                Heard::OverNats(event) => {
                    if let Err(ended) = event.and_then(|event| self.receive(event)) {
                        self.nats_failed(&ended);
                    }
                }
            }
        }
    }

    async fn next(&mut self) -> Heard {
        let is_over_nats = self.is_over_nats();
        let (counts, follower) = (&self.counts, &mut self.follower);
        let connecting = || counts.connections.fetch_add(1, Ordering::Relaxed);
        let http = self.http.next(|| {
            connecting();
            follower.connect()
        });
        let Some(nats) = &mut self.nats else {
            return Heard::OverHttp(http.await);
        };
        let nats = nats.next(|| {
            connecting();
            None
        });
        tokio::select! {
            event = http, if !is_over_nats => Heard::OverHttp(event),
            event = nats => Heard::OverNats(event),
        }
    }

    /// Applies an event of the transport that the reader follows.
    fn receive(&mut self, event: FeedEvent) -> Result<(), Ended> {
        self.counts.events.fetch_add(1, Ordering::Relaxed);
        match self.follower.receive(event)? {
            Effect::Nothing => {}
            Effect::Ready => {
                self.http.succeed();
                if self.http.end_outage() {
                    tracing::info!("the revocation feed continues");
                }
                // Keys may have changed while there was no connection.
                self.keys_changed.notify_one();
            }
            Effect::KeysChanged => self.keys_changed.notify_one(),
        }
        if let Some(nats) = self.nats.as_mut().filter(|_| self.counts.is_over_nats()) {
            nats.succeed();
        }
        Ok(())
    }

    /// Follows NATS from this event on if it says nothing new. The events after it can't be missed, because they come the same way.
    fn compare(&mut self, event: FeedEvent) {
        match event {
            FeedEvent::Head(head) if self.follower.continue_at(head) => {
                self.counts.set_over_nats(true);
                self.http.close();
                self.http.succeed();
                self.http.end_outage();
                if self.nats.as_mut().is_some_and(Link::end_outage) {
                    tracing::info!("the revocation feed is followed over NATS again");
                } else {
                    tracing::debug!("the revocation feed is followed over NATS");
                }
            }
            event => self.follower.overhear(event),
        }
    }

    fn http_failed(&mut self, ended: &Ended) {
        let is_starting = !self.follower.has_snapshot() && self.started.elapsed() < SILENT_AT_START;
        let delay = self
            .http
            .fail(if is_starting { BACKOFF_AT_START } else { BACKOFF });
        // The publisher closes connections when it stops, and when the reader's token expires.
        let is_expected = is_starting || self.http.failures() == 1 && matches!(ended, Ended::Closed);
        if !is_expected && self.http.begin_outage() {
            tracing::warn!(error = %ended, "the revocation feed is interrupted; connecting again");
        } else {
            tracing::debug!(error = %ended, ?delay, "the revocation feed ended; connecting again");
        }
    }

    fn nats_failed(&mut self, ended: &Ended) {
        let Some(nats) = &mut self.nats else { return };
        let delay = nats.fail(NATS_BACKOFF);
        let is_starting = self.started.elapsed() < SILENT_AT_START;
        if !is_starting && nats.begin_outage() {
            tracing::warn!(error = %ended, "the revocation feed over NATS is interrupted; following it over HTTP");
        } else {
            tracing::debug!(error = %ended, ?delay, "the revocation feed over NATS ended; connecting again");
        }
        if self.is_over_nats() {
            self.counts.set_over_nats(false);
            // Many readers may have lost the same broker.
            self.http.fail(BACKOFF);
        }
    }

    fn is_over_nats(&self) -> bool {
        self.counts.is_over_nats()
    }
}
