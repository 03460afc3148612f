//! The delay before a failed background task starts again. To be replaced by `auth::Backoff`, which has the same methods.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// A delay that doubles with each failure up to a maximum, with jitter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    max: Duration,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, max: Duration) -> Self {
        Self { first, max }
    }

    /// The delay after this many consecutive failures: between half of the doubled delay and all of it, so that replicas
    /// that failed together don't start again together.
    pub(crate) fn delay(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1);
        let delay = self
            .first
            .saturating_mul(2_u32.saturating_pow(doublings))
            .min(self.max);
        // Each `RandomState` has random keys, so the low byte of the hash is random too.
        let [jitter, ..] = RandomState::new().hash_one(failures).to_le_bytes();
        delay / 2 + delay / 2 * u32::from(jitter) / 255
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_a_maximum_and_differ() {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        for (failures, most) in [
            (0, 100),
            (1, 100),
            (2, 200),
            (4, 800),
            (5, 1_000),
            (u32::MAX, 1_000),
        ] {
            let most = Duration::from_millis(most);
            let delays: Vec<_> = (0..64).map(|_| backoff.delay(failures)).collect();
            assert!(
                delays.iter().all(|delay| (most / 2..=most).contains(delay)),
                "{failures}: {delays:?}"
            );
            assert!(
                delays.iter().any(|delay| *delay != delays[0]),
                "{failures}: no jitter"
            );
        }
    }
}
