//! Deadlines, and the clock of the timers under test.

use std::time::{Duration, Instant};

/// The longest wait for a condition. Nothing here takes nearly as long, even on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Waits for a condition.
pub async fn until(description: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {description}");
        // Lets other tasks and threads run. The duration is not significant.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Advances the clock of the timers of the code under test.
pub async fn advance(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}
