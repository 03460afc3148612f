//! The one place that reads the time, so that a test can set it.

use chrono::{DateTime, SubsecRound, Utc};

/// Tells the time: the system's, or, in tests, one that stands still until it is moved.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    #[cfg(feature = "testing")]
    set_to: Option<std::sync::Arc<std::sync::atomic::AtomicI64>>,
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// Now, cut to microseconds: what every database keeps of it, so that what was written compares equal to what is
    /// read back.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        #[cfg(feature = "testing")]
        if let Some(micros) = &self.set_to {
            let micros = micros.load(std::sync::atomic::Ordering::Relaxed);
            return DateTime::from_timestamp_micros(micros).unwrap_or_default();
        }
        system_time().trunc_subsecs(6)
    }

    /// Now, in whole seconds since the epoch, as a token's `NumericDate` counts them (RFC 7519 §2).
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
    /// A clock that stands still until [`advance`](Self::advance) moves it; its clones move with it. It starts at the
    /// system's time.
    #[must_use]
    pub fn fixed() -> Self {
        let now = system_time().timestamp_micros();
        Self {
            set_to: Some(std::sync::Arc::new(now.into())),
        }
    }

    /// Moves a standing clock on.
    ///
    /// # Panics
    /// On the system's clock, which nobody can move.
    #[expect(
        clippy::expect_used,
        reason = "a test that moves the system's clock is mistaken"
    )]
    pub fn advance(&self, by: chrono::TimeDelta) {
        let micros = by.num_microseconds().expect("a step of fewer than 292,000 years");
        let set_to = self.set_to.as_ref().expect("a clock made by Clock::fixed");
        set_to.fetch_add(micros, std::sync::atomic::Ordering::Relaxed);
    }
}
