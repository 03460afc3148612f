//! How many failed logins are free.

use std::num::NonZeroU32;

/// Microseconds until a used-up allowance is free again.
const WINDOW: i64 = 15 * 60 * 1_000_000;

/// A number of failures that are free in 15 minutes. Each failure counts for an equal share of that time, one after the other, so
/// only the time at which the last one expires is stored (the generic cell rate algorithm, ITU-T I.371). Times are in microseconds
/// since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
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

    /// The latest time at which failures, the next one included, may expire for the next one to be free at `now`.
    pub(crate) fn limit(now: i64) -> i64 {
        now + WINDOW
    }

    /// Whether the next failure would not be free, if the earlier ones expire at `fades_at`.
    pub(crate) fn is_used_up(self, fades_at: i64, now: i64) -> bool {
        self.wait(fades_at, now) > 0
    }

    /// Microseconds until the next failure is free.
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
    fn an_allowance_frees_exactly_its_number_of_failures() {
        for failures in [1, 2, 7, 10, 100, 9_999] {
            assert_eq!(free(failures), failures);
        }
    }

    #[test]
    fn failures_expire_one_after_the_other() {
        let minute = 60 * 1_000_000;
        let three = Allowance::of(NonZeroU32::new(3).unwrap());
        assert_eq!(three.wait(15 * minute, 0), 5 * minute);
        assert_eq!(three.wait(15 * minute, 4 * minute), minute);
        assert_eq!(three.wait(15 * minute, 5 * minute), 0);
        assert!(!three.is_used_up(15 * minute, 5 * minute) && three.is_used_up(15 * minute, 5 * minute - 1));
        assert_eq!(three.wait(15 * minute, 60 * minute), 0);
    }

    #[test]
    fn the_largest_allowance_is_never_used_up() {
        let allowance = Allowance::of(NonZeroU32::MAX);
        assert!(!allowance.is_used_up(0, 0));
        assert_eq!(allowance.share(), 0);
    }
}
