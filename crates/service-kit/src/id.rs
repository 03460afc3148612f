//! Ids: UUIDs of version 7 (RFC 9562 §5.7). Newer rows have higher ids, so indexes grow at one end and lists sort by id.

use std::sync::Mutex;

use chrono::{DateTime, Utc};
use uuid::{ContextV7, Timestamp, Uuid};

/// A counter after the timestamp keeps the ids of one millisecond in order, within one process.
static COUNTER: Mutex<ContextV7> = Mutex::new(ContextV7::new());

/// A new id for a row that is created `now`.
#[must_use]
pub fn new(now: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
    Uuid::new_v7(Timestamp::from_unix(
        &COUNTER,
        seconds,
        now.timestamp_subsec_nanos(),
    ))
}

#[cfg(test)]
mod tests {
    #[test]
    fn ids_of_one_moment_are_distinct_and_in_order() {
        let now = auth::Clock::system().now();
        let ids: Vec<_> = (0..1_000).map(|_| super::new(now)).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert_eq!(ids[0].get_version_num(), 7);
    }
}
