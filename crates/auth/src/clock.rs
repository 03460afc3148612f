//! The clock. No other module reads the system time, so that tests can control the time.

use chrono::{DateTime, SubsecRound, Utc};

/// The system clock or, in tests, a clock that moves only when the test moves it.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    #[cfg(feature = "testing")]
    fixed_micros: Option<std::sync::Arc<std::sync::atomic::AtomicI64>>,
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
        #[cfg(feature = "testing")]
        if let Some(micros) = &self.fixed_micros {
            let micros = micros.load(std::sync::atomic::Ordering::Relaxed);
            return DateTime::from_timestamp_micros(micros).unwrap_or_default();
        }
        system_time().trunc_subsecs(6)
    }

    /// The current time in whole seconds since 1970 (`NumericDate`, RFC 7519 §2).
    #[must_use]
    pub fn unix(&self) -> i64 {
        self.now().timestamp()
    }
}

#[expect(clippy::disallowed_methods, reason = "this module owns the clock")]
fn system_time() -> DateTime<Utc> {
    Utc::now()
}

#[cfg(feature = "testing")]
impl Clock {
    /// A clock that starts at the system time and stands still until [`advance`](Self::advance) moves it. All clones show the
    /// same time.
    #[must_use]
    pub fn fixed() -> Self {
        let now = system_time().timestamp_micros();
        Self {
            fixed_micros: Some(std::sync::Arc::new(now.into())),
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
        clock.fetch_add(micros, std::sync::atomic::Ordering::Relaxed);
    }
}
