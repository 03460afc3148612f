//! How many failed logins are allowed.

use std::num::NonZeroU32;

/// Microseconds until all failures of a used-up allowance have expired.
const WINDOW: i64 = 15 * 60 * 1_000_000;

/// The maximum number of failures that have not expired. Failures expire one after the other: with an allowance of five, one every
/// three minutes, and after 15 minutes all. So only the time at which the last failure expires needs to be stored (the
/// generic cell rate algorithm, ITU-T I.371). Times are in microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    failure_cost: i64,
}

impl Allowance {
    pub(crate) fn of(failures: NonZeroU32) -> Self {
        Self {
            failure_cost: WINDOW / i64::from(failures.get()),
        }
    }

    /// How long one failure takes to expire, in microseconds.
    pub(crate) fn failure_cost(self) -> i64 {
        self.failure_cost
    }

    /// The latest time at which the last failure may expire. A failure at `now` is refused if it would expire later.
    pub(crate) fn latest_expiry(now: i64) -> i64 {
        now + WINDOW
    }

    /// Whether a further failure is not allowed at `now`, if the earlier failures expire at `failures_expire_at`.
    pub(crate) fn is_used_up(self, failures_expire_at: i64, now: i64) -> bool {
        self.wait(failures_expire_at, now) > 0
    }

    /// Microseconds from `now` until the next failure is allowed, if the earlier failures expire at `failures_expire_at`.
    pub(crate) fn wait(self, failures_expire_at: i64, now: i64) -> i64 {
        (failures_expire_at.max(now) + self.failure_cost - Self::latest_expiry(now)).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many failures at one moment are allowed.
    fn allowed(failures: u32) -> u32 {
        let allowance = Allowance::of(NonZeroU32::new(failures).unwrap());
        let (mut failures_expire_at, mut counted) = (0, 0);
        while !allowance.is_used_up(failures_expire_at, 0) {
            failures_expire_at += allowance.failure_cost();
            counted += 1;
        }
        counted
    }

    #[test]
    fn exactly_the_given_number_of_failures_is_allowed() {
        for failures in [1, 2, 7, 10, 100, 9_999] {
            assert_eq!(allowed(failures), failures);
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
        assert_eq!(allowance.failure_cost(), 0);
    }
}
