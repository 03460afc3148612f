//! The metrics of a service's verifier. They are recorded when they are read.

use auth::Statistics;
use metrics::{counter, gauge};

#[expect(clippy::cast_precision_loss, reason = "these numbers are far below 2^52")]
pub(crate) fn record(statistics: &Statistics) {
    counter!("auth_token_cache_hits_total").absolute(statistics.cache_hits);
    counter!("auth_token_cache_misses_total").absolute(statistics.cache_misses);
    gauge!("auth_revocations").set(statistics.revocations as f64);
    gauge!("auth_revocations_full").set(number(!statistics.is_set_complete));
    let Some(feed) = statistics.feed else { return };
    // Before the first snapshot there is no age.
    let age = feed.age.map_or(f64::NAN, |seconds| seconds as f64);
    gauge!("auth_feed_age_seconds").set(age);
    gauge!("auth_feed_stale").set(number(feed.is_stale));
    counter!("auth_feed_events_total").absolute(feed.events);
    counter!("auth_feed_connections_total").absolute(feed.connections);
    gauge!("auth_feed_over_nats").set(number(feed.is_over_nats));
}

fn number(is_true: bool) -> f64 {
    if is_true { 1.0 } else { 0.0 }
}
