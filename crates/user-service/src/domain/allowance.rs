//! How many failures are free.

use std::num::NonZeroU32;

/// Microseconds over which failures fade.
const WINDOW: i64 = 15 * 60 * 1_000_000;

/// A number of failures that are free in a quarter of an hour. Each counts for its share of that time, one after the other, so
/// that all there is to remember is when the last of them fades (the generic cell rate algorithm, ITU-T I.371).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// How long one failure counts, in microseconds.
    share: i64,
}

impl Allowance {
    pub(crate) fn of(failures: NonZeroU32) -> Self {
        Self {
            share: WINDOW / i64::from(failures.get()),
        }
    }

    /// How long one failure counts, in microseconds.
    pub(crate) fn share(self) -> i64 {
        self.share
    }

    /// Up to when failures may fade, with the next one, for that to be free at `now`.
    pub(crate) fn limit(now: i64) -> i64 {
        now + WINDOW
    }

    /// Whether one more would not be free, where all there were fade at `fades_at`.
    pub(crate) fn is_used_up(self, fades_at: i64, now: i64) -> bool {
        self.wait(fades_at, now) > 0
    }

    /// Microseconds until one more is free.
    pub(crate) fn wait(self, fades_at: i64, now: i64) -> i64 {
        (fades_at.max(now) + self.share - Self::limit(now)).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many failures at one moment are free.
    fn free(failures: u32) -> u32 {
        let allowance = Allowance::of(NonZeroU32::new(failures).unwrap());
        let (mut fades_at, mut counted) = (0, 0);
        while !allowance.is_used_up(fades_at, 0) {
            fades_at += allowance.share();
            counted += 1;
        }
        counted
    }

    #[test]
    fn as_many_are_free_as_it_says() {
        for failures in [1, 2, 7, 10, 100, 9_999] {
            assert_eq!(free(failures), failures);
        }
    }

    #[test]
    fn they_fade_one_after_the_other() {
        let minute = 60 * 1_000_000;
        let three = Allowance::of(NonZeroU32::new(3).unwrap());
        assert_eq!(three.wait(15 * minute, 0), 5 * minute);
        assert_eq!(three.wait(15 * minute, 4 * minute), minute);
        assert_eq!(three.wait(15 * minute, 5 * minute), 0);
        assert!(!three.is_used_up(15 * minute, 5 * minute) && three.is_used_up(15 * minute, 5 * minute - 1));
        assert_eq!(three.wait(15 * minute, 60 * minute), 0);
    }

    #[test]
    fn a_number_beyond_counting_never_ends() {
        let allowance = Allowance::of(NonZeroU32::MAX);
        assert!(!allowance.is_used_up(0, 0));
        assert_eq!(allowance.share(), 0);
    }
}
