//! The clock. No other module reads the system time, so that tests can control the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};

/// The system clock or, in tests, a clock that moves only when the test moves it.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Only a test's clock has a value here.
    fixed_micros: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The system clock.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// The current time, truncated to microseconds. The databases store microseconds, so a time that is read from a database
    /// equals the time that was stored.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.micros()).unwrap_or_default()
    }

    /// The current time in whole seconds since 1970 (`NumericDate`, RFC 7519 §2).
    #[must_use]
    pub fn unix(&self) -> i64 {
        self.micros().div_euclid(1_000_000)
    }

    /// Microseconds since 1970.
    fn micros(&self) -> i64 {
        match &self.fixed_micros {
            Some(micros) => micros.load(Ordering::Relaxed),
            None => system_micros(),
        }
    }
}

/// The system time in microseconds since 1970. A time before 1970 counts as 1970.
#[expect(clippy::disallowed_methods, reason = "this module owns the clock")]
fn system_micros() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(feature = "testing")]
impl Clock {
    /// A clock that starts at the system time and stands still until [`advance`](Self::advance) moves it. All clones show the
    /// same time.
    #[must_use]
    pub fn fixed() -> Self {
        Self {
            fixed_micros: Some(Arc::new(system_micros().into())),
        }
    }

    /// Moves a fixed clock forward.
    ///
    /// # Panics
    /// If this is the system clock.
    #[expect(clippy::expect_used, reason = "a test that moves the system clock is wrong")]
    pub fn advance(&self, by: chrono::TimeDelta) {
        let micros = by.num_microseconds().expect("a step of fewer than 292,000 years");
        let clock = self.fixed_micros.as_ref().expect("a clock made by Clock::fixed");
        clock.fetch_add(micros, Ordering::Relaxed);
    }
}
