//! A transport with its current connection.

use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{Instant, Sleep, sleep};

use super::event::FeedEvent;
use super::position::FeedPosition;
use super::transport::{Ended, Events, Transport};
use crate::backoff::Backoff;

/// A transport with its current connection. After a failure it connects again, after a random delay that grows with the number of
/// failures: many readers should not all come at once when the publisher restarts.
pub(super) struct Link {
    transport: Box<dyn Transport>,
    events: Option<Events>,
    delay: Option<Pin<Box<Sleep>>>,
    /// Failures in a row.
    failures: u32,
    /// Since when the connection works.
    works_since: Option<Instant>,
    /// How long a connection must have worked, so that the next failure is not one in a row.
    stable_after: Duration,
}

impl Link {
    pub fn new(transport: Box<dyn Transport>, stable_after: Duration) -> Self {
        Self {
            transport,
            events: None,
            delay: None,
            failures: 0,
            works_since: None,
            stable_after,
        }
    }

    /// Waits for the next event. Connects if there is no connection: then `after` returns the position from which the feed should
    /// continue. A dropped future loses nothing.
    pub async fn next(&mut self, after: impl FnOnce() -> Option<FeedPosition>) -> Result<FeedEvent, Ended> {
        if let Some(delay) = &mut self.delay {
            delay.await;
            self.delay = None;
        }
        let events = self.events.get_or_insert_with(|| self.transport.connect(after()));
        events.next().await.unwrap_or(Err(Ended::Closed))
    }

    /// Closes the connection. The next one is made after a delay, which this returns.
    pub fn fail(&mut self, backoff: Backoff) -> Duration {
        let is_stable = |since: Instant| since.elapsed() >= self.stable_after;
        if self.works_since.take().is_some_and(is_stable) {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        let delay = backoff.delay(self.failures);
        self.events = None;
        self.delay = Some(Box::pin(sleep(delay)));
        delay
    }

    /// The connection works.
    pub fn succeed(&mut self) {
        self.works_since.get_or_insert_with(Instant::now);
    }

    /// Closes the connection.
    pub fn close(&mut self) {
        self.events = None;
    }

    pub fn failures(&self) -> u32 {
        self.failures
    }
}
