//! A circuit breaker: stops calls to a failing neighbour, so that the neighbour can recover and callers fail fast.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Consecutive failures after which the circuit opens.
const MAX_FAILURES: u32 = 10;
/// How long the circuit stays open. After that, one probe is allowed per period.
const OPEN_TIME: Duration = Duration::from_secs(5);

/// Decides whether a call may be sent to a neighbour. Ten consecutive failures open the circuit for 5 seconds. After that, one
/// call is admitted every 5 seconds, until a call succeeds.
#[derive(Debug, Default)]
pub struct Circuit(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
}

impl Circuit {
    /// Admits a call.
    ///
    /// # Errors
    /// How much longer the circuit stays open.
    pub fn admit(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.state();
        match state.open_until {
            Some(until) if now < until => Err(until - now),
            // This call is the probe. If the probe's outcome is never recorded, another probe is allowed after the next period.
            Some(_) => {
                state.open_until = Some(now + OPEN_TIME);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// How much longer the circuit stays open, if it is open.
    #[must_use]
    pub fn remaining_open_time(&self, now: Instant) -> Option<Duration> {
        let remaining = self.state().open_until?.checked_duration_since(now);
        remaining.filter(|remaining| !remaining.is_zero())
    }

    /// Records a success. Returns whether the success closed the circuit.
    pub fn record_success(&self) -> bool {
        let mut state = self.state();
        state.failures = 0;
        state.open_until.take().is_some()
    }

    /// Records a failure. Returns whether the failure opened the circuit.
    pub fn record_failure(&self, now: Instant) -> bool {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        if state.failures < MAX_FAILURES {
            return false;
        }
        state.open_until.replace(now + OPEN_TIME).is_none()
    }

    // A poisoned lock is safe to use: a panic can't leave the state half-written.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(1);

    fn open_circuit(now: Instant) -> Circuit {
        let circuit = Circuit::default();
        for _ in 1..MAX_FAILURES {
            assert!(!circuit.record_failure(now));
            assert!(circuit.admit(now).is_ok());
        }
        assert!(circuit.record_failure(now));
        circuit
    }

    #[test]
    fn only_consecutive_failures_open_the_circuit() {
        let now = Instant::now();
        let circuit = Circuit::default();
        for _ in 0..3 {
            for _ in 1..MAX_FAILURES {
                circuit.record_failure(now);
            }
            assert!(!circuit.record_success());
        }
        assert!(circuit.admit(now).is_ok());
        assert_eq!(circuit.remaining_open_time(now), None);

        let circuit = open_circuit(now);
        assert_eq!(circuit.admit(now), Err(OPEN_TIME));
        assert_eq!(circuit.remaining_open_time(now), Some(OPEN_TIME));
        assert_eq!(circuit.remaining_open_time(now + OPEN_TIME), None);
    }

    #[test]
    fn an_open_circuit_allows_one_probe_per_period() {
        let now = Instant::now();
        let circuit = open_circuit(now);
        let later = now + OPEN_TIME;

        assert!(circuit.admit(later - MOMENT).is_err());
        assert!(circuit.admit(later).is_ok());
        assert!(circuit.admit(later).is_err(), "a probe is in flight");

        assert!(!circuit.record_failure(later), "the circuit was already open");
        assert!(circuit.admit(later + OPEN_TIME - MOMENT).is_err());
        assert!(circuit.admit(later + OPEN_TIME).is_ok());

        assert!(circuit.record_success());
        assert!(circuit.admit(later + OPEN_TIME).is_ok());
    }

    #[test]
    fn a_probe_without_an_outcome_is_followed_by_another() {
        let now = Instant::now();
        let circuit = open_circuit(now);
        assert!(circuit.admit(now + OPEN_TIME).is_ok());
        assert!(circuit.admit(now + OPEN_TIME * 2).is_ok());
    }
}
