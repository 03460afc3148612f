//! How often and after what pause a call is made again.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_lc_rs::rand;

/// How often a call is made, the first time included.
pub(super) const ATTEMPTS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// What may be spent on repeating: a tenth of what succeeds, so that a neighbour in trouble never gets several times its load.
#[derive(Debug)]
pub(super) struct Budget {
    tenths: AtomicU32,
}

/// A retry costs as much as ten calls bring in.
const COST: u32 = 10;
const MOST: u32 = 10 * COST;

impl Default for Budget {
    fn default() -> Self {
        Self {
            tenths: AtomicU32::new(MOST),
        }
    }
}

impl Budget {
    /// A call succeeded.
    pub fn earn(&self) {
        self.change(|tenths| (tenths < MOST).then_some(tenths + 1));
    }

    /// Whether a call may be made again, which it then costs.
    pub fn spend(&self) -> bool {
        self.change(|tenths| tenths.checked_sub(COST))
    }

    fn change(&self, change: impl FnMut(u32) -> Option<u32>) -> bool {
        self.tenths
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, change)
            .is_ok()
    }
}

/// The pause before the attempt after this many: doubling, and anything from half of that to all of it.
pub(super) fn pause(attempts: u32) -> Duration {
    spread(FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1))))
}

/// Anything from half of a time to all of it, so that those who failed together don't come back together.
pub(super) fn spread(time: Duration) -> Duration {
    let mut byte = [0];
    // Without randomness they do come back together, which is no harm to speak of.
    if rand::fill(&mut byte).is_err() {
        return time;
    }
    time / 2 + time / 2 * u32::from(byte[0]) / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_what_succeeds_may_be_repeated() {
        let budget = Budget::default();
        assert_eq!(
            (0..100).filter(|_| budget.spend()).count(),
            10,
            "what there is to begin with"
        );
        for _ in 0..9 {
            budget.earn();
        }
        assert!(!budget.spend());
        budget.earn();
        assert!(budget.spend());
        for _ in 0..10_000 {
            budget.earn();
        }
        assert_eq!(
            (0..100).filter(|_| budget.spend()).count(),
            10,
            "more is not saved up"
        );
    }

    #[test]
    fn pauses_double_and_differ() {
        for (attempts, longest) in [(1, 50), (2, 100), (3, 200)] {
            let pauses: std::collections::HashSet<_> = (0..100).map(|_| pause(attempts)).collect();
            let longest = Duration::from_millis(longest);
            assert!(
                pauses.iter().all(|pause| (longest / 2..=longest).contains(pause)),
                "{pauses:?}"
            );
            assert!(pauses.len() > 10);
        }
    }
}
