//! How late the messages of a broker arrive.
//!
//! A connection that delivers everything late, but in order and without a gap, looks like one on which nothing happens. Only the times
//! in the messages show the difference.

use std::time::SystemTime;

use tokio::time::Instant;

/// The longest accepted delay, in seconds. Also the largest accepted difference between the clocks of a broker's servers.
const MAX_DELAY: f64 = 2.0;

/// The broker's clock, compared with the monotonic clock of this process.
#[derive(Clone, Copy, Debug)]
pub(super) struct BrokerClock {
    /// A time of this process's clock, and a time that the broker's clock showed then or later.
    here: Instant,
    there: SystemTime,
}

/// Messages arrive late, or the broker's clock was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("messages arrive more than {MAX_DELAY} seconds late, or the broker's clock was set")]
pub(super) struct Late;

impl BrokerClock {
    /// `answer` is what the clock showed after it was asked. The time between question and answer counts as delay of each message.
    pub fn new(asked: Instant, answer: SystemTime) -> Self {
        Self {
            here: asked,
            there: answer,
        }
    }

    /// Checks a message that was published at this time by the broker's clock, and arrives now.
    pub fn check(&mut self, published: SystemTime) -> Result<(), Late> {
        let delay = self.here.elapsed().as_secs_f64() - seconds_between(self.there, published);
        if delay.abs() > MAX_DELAY {
            return Err(Late);
        }
        // The message seems to arrive before it was sent: the broker's clock is faster. Its lead must not hide a later delay.
        if delay < 0.0 {
            *self = Self::new(Instant::now(), published);
        }
        Ok(())
    }
}

/// Negative if `to` is before `from`.
fn seconds_between(from: SystemTime, to: SystemTime) -> f64 {
    match to.duration_since(from) {
        Ok(later) => later.as_secs_f64(),
        Err(earlier) => -earlier.duration().as_secs_f64(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn check(mut clock: BrokerClock, published: SystemTime) -> Result<(), Late> {
        clock.check(published)
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_may_be_two_seconds_late() {
        let answer = SystemTime::UNIX_EPOCH + 3_600 * SECOND;
        let clock = BrokerClock::new(Instant::now(), answer);
        assert_eq!(check(clock, answer), Ok(()));
        advance(100 * SECOND).await;
        for (published, result) in [
            (97, Err(Late)),
            (98, Ok(())),
            (100, Ok(())),
            (102, Ok(())),
            (103, Err(Late)),
        ] {
            assert_eq!(check(clock, answer + published * SECOND), result, "{published}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_servers_of_a_broker_may_differ_by_two_seconds() {
        let answer = SystemTime::UNIX_EPOCH + 3_600 * SECOND;
        let clock = BrokerClock::new(Instant::now(), answer);
        assert_eq!(check(clock, answer - 2 * SECOND), Ok(()));
        assert_eq!(check(clock, answer - 3 * SECOND), Err(Late));
    }

    #[tokio::test(start_paused = true)]
    async fn a_faster_clock_hides_no_delay() {
        let answer = SystemTime::UNIX_EPOCH;
        let mut clock = BrokerClock::new(Instant::now(), answer);
        // It gains a second in ten.
        for tens in 1..=60 {
            advance(10 * SECOND).await;
            assert_eq!(clock.check(answer + 11 * tens * SECOND), Ok(()));
        }
        advance(3 * SECOND).await;
        assert_eq!(clock.check(answer + 660 * SECOND), Err(Late));
    }
}
