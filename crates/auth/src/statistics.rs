//! Figures about a verifier, for its service's metrics.

use crate::verifier::Verifier;

/// Figures about a verifier, from [`Verifier::statistics`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// How often a token was found in the cache of verified tokens, since the verifier was built.
    pub cache_hits: u64,
    /// How often a token was not found there.
    pub cache_misses: u64,
    /// The entries of the revocation set.
    pub revocations: usize,
    /// Whether the set has everything that was published. False if it is full.
    pub is_set_complete: bool,
    /// Figures about the revocation feed. `None` without a feed.
    pub feed: Option<FeedStatistics>,
}

/// Figures about a revocation feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeedStatistics {
    /// How long the feed was not heard, in seconds. `None` before the first snapshot, and while an event is missing.
    pub age: Option<u64>,
    /// Whether roles are withheld because the feed was silent for too long.
    pub is_stale: bool,
    /// The events that were applied since the verifier was built.
    pub events: u64,
    /// The connections that were made or tried since then.
    pub connections: u64,
    /// Whether the feed is followed over NATS now, and not over HTTP.
    pub is_over_nats: bool,
}

impl Verifier {
    /// Figures about this verifier now.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let revocations = self.revocations();
        let (cache_hits, cache_misses) = self.cache_lookups();
        Statistics {
            cache_hits,
            cache_misses,
            revocations: revocations.len(),
            is_set_complete: revocations.is_complete(),
            feed: self.feed_statistics(),
        }
    }
}
