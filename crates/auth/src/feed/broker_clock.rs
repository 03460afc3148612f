//! How late the messages of a broker arrive.
//!
//! A connection that delivers everything late, but in order and without a gap, looks like one on which nothing happens. Only the times
//! in the messages show the difference.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// The longest accepted delay.
const MAX_DELAY: Duration = Duration::from_secs(2);

/// The broker's clock, as this process last saw it.
#[derive(Clone, Copy, Debug)]
pub(super) struct BrokerClock {
    asked: Instant,
    answer: SystemTime,
}

/// Messages arrive late, or the broker's clock was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("messages arrive more than {} seconds late, or the broker's clock was set", MAX_DELAY.as_secs())]
pub(super) struct Late;

impl BrokerClock {
    /// `answer` is what the clock showed after it was asked. The time until then counts as delay of each message.
    pub fn new(asked: Instant, answer: SystemTime) -> Self {
        Self { asked, answer }
    }

    /// Checks a message that was published at this time by the broker's clock, and arrives now.
    pub fn check(&self, published: SystemTime) -> Result<(), Late> {
        let by_broker = published.duration_since(self.answer).map_err(|_| Late)?;
        if self.asked.elapsed().abs_diff(by_broker) > MAX_DELAY {
            return Err(Late);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_message_may_be_two_seconds_late() {
        let answer = SystemTime::UNIX_EPOCH + 3_600 * SECOND;
        let clock = BrokerClock::new(Instant::now(), answer);
        assert_eq!(clock.check(answer), Ok(()));
        advance(100 * SECOND).await;
        for (published, result) in [
            (97, Err(Late)),
            (98, Ok(())),
            (100, Ok(())),
            (102, Ok(())),
            (103, Err(Late)),
        ] {
            assert_eq!(clock.check(answer + published * SECOND), result, "{published}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_was_set_back_is_noticed() {
        let answer = SystemTime::UNIX_EPOCH + 3_600 * SECOND;
        let clock = BrokerClock::new(Instant::now(), answer);
        assert_eq!(clock.check(answer - SECOND), Err(Late));
    }
}
