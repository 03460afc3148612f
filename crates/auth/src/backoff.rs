//! Delays between retries.

use std::time::Duration;

use aws_lc_rs::rand;

/// Exponential backoff with jitter. Delays double from the first delay up to a maximum. Each delay is shortened at random to
/// between half and all of its length, so that clients that failed at the same time do not retry at the same time.
///
/// ```
/// use std::time::Duration;
/// use auth::Backoff;
///
/// const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
///
/// let delay = BACKOFF.delay(3);
/// assert!(delay >= Duration::from_millis(200) && delay <= Duration::from_millis(400));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    max: Duration,
}

impl Backoff {
    /// The delay is `first` after one failure, twice `first` after two, four times `first` after three, and never more than
    /// `max`.
    #[must_use]
    pub const fn new(first: Duration, max: Duration) -> Self {
        Self { first, max }
    }

    /// The delay after this many consecutive failures, with jitter. Zero failures count as one.
    #[must_use]
    pub fn delay(&self, failures: u32) -> Duration {
        with_jitter(self.longest_delay(failures))
    }

    fn longest_delay(&self, failures: u32) -> Duration {
        let factor = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.first.saturating_mul(factor).min(self.max)
    }
}

/// A random duration between half of `duration` and all of it.
pub(crate) fn with_jitter(duration: Duration) -> Duration {
    let mut byte = [0];
    // Without a random number, the delay has no jitter, which is harmless.
    if rand::fill(&mut byte).is_err() {
        return duration;
    }
    let half = duration / 2;
    half + half / 255 * u32::from(byte[0])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));

    #[test]
    fn delays_double_up_to_the_maximum() {
        let millis = |failures| BACKOFF.longest_delay(failures).as_millis();

        assert_eq!([0, 1, 2, 3, 6].map(millis), [50, 50, 100, 200, 1_600]);
        assert_eq!([7, 8, 1_000, u32::MAX].map(millis), [2_000; 4]);
        let longest = Backoff::new(Duration::MAX, Duration::MAX);
        assert_eq!(longest.longest_delay(u32::MAX), Duration::MAX);
    }

    #[test]
    fn delays_vary_between_half_and_all_of_their_length() {
        for failures in [1, 2, 3, u32::MAX] {
            let longest = BACKOFF.longest_delay(failures);
            let delays: HashSet<_> = (0..100).map(|_| BACKOFF.delay(failures)).collect();

            assert!(
                delays.iter().all(|delay| (longest / 2..=longest).contains(delay)),
                "{delays:?}"
            );
            assert!(delays.len() > 10, "{delays:?}");
        }
    }

    #[test]
    fn a_delay_of_zero_stays_zero() {
        assert_eq!(
            Backoff::new(Duration::ZERO, Duration::MAX).delay(5),
            Duration::ZERO
        );
    }
}
