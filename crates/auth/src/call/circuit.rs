//! Sparing a neighbour that fails, and sparing callers the wait for it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So many failures in a row open the circuit.
const FAILURES: u32 = 10;
/// For so long nobody is let through; after that one call at a time tries whether it is better.
const OPEN_FOR: Duration = Duration::from_secs(5);

/// Whether a neighbour is called at all.
#[derive(Debug, Default)]
pub(super) struct Circuit(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
}

impl Circuit {
    /// Lets a call through, or says for how long none is.
    pub fn admit(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.state();
        match state.open_until {
            Some(until) if now < until => Err(until - now),
            // This call tries; if it is lost, the next one may when its time is over.
            Some(_) => {
                state.open_until = Some(now + OPEN_FOR);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// For how long nobody is let through.
    pub fn open_for(&self, now: Instant) -> Option<Duration> {
        self.state().open_until?.checked_duration_since(now)
    }

    /// The neighbour answered. Returns whether that closed the circuit.
    pub fn succeeded(&self) -> bool {
        let mut state = self.state();
        state.failures = 0;
        state.open_until.take().is_some()
    }

    /// It did not. Returns whether that opened the circuit.
    pub fn failed(&self, now: Instant) -> bool {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        if state.failures < FAILURES {
            return false;
        }
        state.open_until.replace(now + OPEN_FOR).is_none()
    }

    // A panic can't leave the two numbers half-written.
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(now: Instant) -> Circuit {
        let circuit = Circuit::default();
        for _ in 1..FAILURES {
            assert!(!circuit.failed(now));
            assert!(circuit.admit(now).is_ok());
        }
        assert!(circuit.failed(now));
        circuit
    }

    #[test]
    fn ten_failures_in_a_row_open_it_and_one_success_between_them_does_not() {
        let now = Instant::now();
        let circuit = Circuit::default();
        for _ in 0..3 {
            for _ in 1..FAILURES {
                circuit.failed(now);
            }
            assert!(!circuit.succeeded());
        }
        assert!(circuit.admit(now).is_ok());
        assert_eq!(open(now).admit(now), Err(OPEN_FOR));
        assert_eq!(
            (open(now).open_for(now), circuit.open_for(now)),
            (Some(OPEN_FOR), None)
        );
        assert_eq!(open(now).open_for(now + OPEN_FOR * 2), None);
    }

    #[test]
    fn an_open_circuit_lets_one_call_at_a_time_try() {
        let now = Instant::now();
        let circuit = open(now);
        let later = now + OPEN_FOR;
        assert!(circuit.admit(later - Duration::from_millis(1)).is_err());
        assert!(circuit.admit(later).is_ok());
        assert!(circuit.admit(later).is_err(), "one is trying");
        assert!(!circuit.failed(later), "it was open");
        assert!(
            circuit
                .admit(later + OPEN_FOR - Duration::from_millis(1))
                .is_err()
        );
        assert!(circuit.admit(later + OPEN_FOR).is_ok());
        assert!(circuit.succeeded());
        assert!(circuit.admit(later + OPEN_FOR).is_ok());
    }

    #[test]
    fn a_try_that_is_lost_leaves_room_for_the_next() {
        let now = Instant::now();
        let circuit = open(now);
        assert!(circuit.admit(now + OPEN_FOR).is_ok());
        assert!(circuit.admit(now + OPEN_FOR * 2).is_ok());
    }
}
