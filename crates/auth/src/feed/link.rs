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
    /// The current outage was logged.
    is_outage_logged: bool,
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
            is_outage_logged: false,
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

    /// Whether an outage should be logged: none was since the last one ended.
    pub fn begin_outage(&mut self) -> bool {
        !std::mem::replace(&mut self.is_outage_logged, true)
    }

    /// Whether the end of an outage should be logged: its beginning was.
    pub fn end_outage(&mut self) -> bool {
        std::mem::take(&mut self.is_outage_logged)
    }

    /// Closes the connection.
    pub fn close(&mut self) {
        self.events = None;
    }

    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream::pending;
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const BACKOFF: Backoff = Backoff::new(SECOND, Duration::from_secs(60));

    #[derive(Debug)]
    struct Silent;

    impl Transport for Silent {
        fn connect(&self, _: Option<FeedPosition>) -> Events {
            pending().boxed()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_soon_after_another_is_one_in_a_row() {
        let mut link = Link::new(Box::new(Silent), 10 * SECOND);
        assert_eq!(link.failures(), 0);
        for failures in 1..=3 {
            link.fail(BACKOFF);
            assert_eq!(link.failures(), failures);
            // It works since the first of these two calls.
            link.succeed();
            advance(5 * SECOND).await;
            link.succeed();
            advance(4 * SECOND).await;
        }
        advance(SECOND).await;
        link.fail(BACKOFF);
        assert_eq!(link.failures(), 1);
        // It did not work since.
        advance(20 * SECOND).await;
        link.fail(BACKOFF);
        assert_eq!(link.failures(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_failure_the_next_connection_is_made_after_the_delay() {
        let mut link = Link::new(Box::new(Silent), Duration::ZERO);
        let delay = link.fail(BACKOFF);
        let failed = Instant::now();
        let mut connected = None;
        let next = link.next(|| {
            connected = Some(Instant::now());
            None
        });
        assert!(tokio::time::timeout(10 * SECOND, next).await.is_err());
        // The timer's resolution is a millisecond.
        let late = connected.unwrap().duration_since(failed + delay);
        assert!(late <= Duration::from_millis(1), "{late:?}");
    }
}
