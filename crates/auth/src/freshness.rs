//! How current a revocation set is: when its feed was last heard.

use std::sync::atomic::{AtomicI64, Ordering};

/// A feed that was not heard for more than this time is stale, in seconds. A publisher sends at least one event per second.
pub(crate) const STALE_AFTER: i64 = 5;

/// No feed: the set is what its owner makes it.
const WITHOUT_FEED: i64 = i64::MAX;
/// The feed has not delivered its first snapshot.
const AWAITING: i64 = i64::MIN;
/// The feed is known to have more than the set. No clock shows a time near this one, so the set is stale.
const BEHIND: i64 = i64::MIN + 1;

/// The knowledge of a revocation set about a user's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Knowledge {
    /// The token is revoked.
    Revoked,
    /// The token was not revoked a moment ago.
    NotRevoked,
    /// The token was not revoked when the feed was last heard, or the set is full.
    Stale,
    /// Nothing: there was no snapshot yet.
    Nothing,
}

/// When the feed of a revocation set was last heard, in Unix seconds by the verifier's clock.
///
/// This is the same clock reading by which a token's expiry is checked, so it costs no other, and a process that was suspended
/// knows at once that its set is stale. A clock that is set makes the set stale until the next event.
#[derive(Debug)]
pub(crate) struct Freshness {
    last_heard: AtomicI64,
}

impl Default for Freshness {
    fn default() -> Self {
        Self {
            last_heard: AtomicI64::new(WITHOUT_FEED),
        }
    }
}

impl Freshness {
    #[cfg(feature = "client")]
    /// Starts to wait for the first snapshot of a feed.
    pub fn await_snapshot(&self) {
        self.last_heard.store(AWAITING, Ordering::Release);
    }

    #[cfg(feature = "client")]
    /// The feed was heard at this time, and the set has everything up to then.
    pub fn heard(&self, now: i64) {
        self.last_heard.store(now, Ordering::Release);
    }

    #[cfg(feature = "client")]
    /// The feed is known to have more than the set.
    pub fn behind(&self) {
        // `AWAITING` stays: then nothing is known at all.
        let stale = |last| (last != AWAITING).then_some(BEHIND);
        let _ = self
            .last_heard
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, stale);
    }

    /// Whether there was a snapshot, or no feed is expected.
    pub fn has_snapshot(&self) -> bool {
        self.last_heard.load(Ordering::Acquire) != AWAITING
    }

    /// The knowledge about a token that the set does not have.
    pub fn knowledge(&self, now: i64) -> Knowledge {
        match self.last_heard.load(Ordering::Acquire) {
            WITHOUT_FEED => Knowledge::NotRevoked,
            AWAITING => Knowledge::Nothing,
            // Threads read the clock independently, so `now` may be a second earlier.
            last if (last - 1..=last.saturating_add(STALE_AFTER)).contains(&now) => Knowledge::NotRevoked,
            _ => Knowledge::Stale,
        }
    }

    /// How long the feed was not heard, in seconds. `None` without a feed, before the first snapshot, and while an event is missing.
    pub fn age(&self, now: i64) -> Option<i64> {
        match self.last_heard.load(Ordering::Acquire) {
            WITHOUT_FEED | AWAITING | BEHIND => None,
            last => Some(now.saturating_sub(last).max(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_is_stale_when_it_was_not_heard_for_more_than_five_seconds() {
        let freshness = Freshness::default();
        assert_eq!(freshness.knowledge(0), Knowledge::NotRevoked);
        assert_eq!(freshness.knowledge(i64::MAX - 1), Knowledge::NotRevoked);
        assert_eq!(freshness.age(7), None);

        freshness.await_snapshot();
        assert_eq!(freshness.knowledge(1_000), Knowledge::Nothing);
        assert!(!freshness.has_snapshot());
        freshness.behind();
        assert_eq!(freshness.knowledge(1_000), Knowledge::Nothing);

        freshness.heard(1_000);
        assert!(freshness.has_snapshot());
        for (now, knowledge) in [
            (998, Knowledge::Stale),
            (999, Knowledge::NotRevoked),
            (1_000, Knowledge::NotRevoked),
            (1_005, Knowledge::NotRevoked),
            (1_006, Knowledge::Stale),
            (i64::MAX, Knowledge::Stale),
        ] {
            assert_eq!(freshness.knowledge(now), knowledge, "{now}");
        }
        assert_eq!(freshness.age(1_007), Some(7));
        assert_eq!(freshness.age(990), Some(0));
    }

    #[test]
    fn a_set_that_is_behind_is_stale_until_the_feed_is_heard_again() {
        let freshness = Freshness::default();
        freshness.heard(1_000);
        freshness.behind();
        assert_eq!(freshness.knowledge(1_000), Knowledge::Stale);
        assert_eq!(freshness.age(1_000), None);
        assert!(freshness.has_snapshot());
        freshness.heard(1_001);
        assert_eq!(freshness.knowledge(1_001), Knowledge::NotRevoked);
    }
}
