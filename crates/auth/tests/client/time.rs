//! Deadlines, and the clock of the timers under test.

use std::time::{Duration, Instant};

/// The longest wait for a condition. Nothing here takes nearly as long, even on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
/// The longest duration of an immediate result, even on a busy machine.
const IMMEDIATELY: Duration = Duration::from_secs(2);

/// The result of work that may take a while.
pub(crate) async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, work).await.unwrap()
}

/// The result of work that ends immediately.
pub(crate) async fn at_once<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(IMMEDIATELY, work).await.unwrap()
}

/// Waits for a condition.
pub(crate) async fn until(description: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {description}");
        // Lets other tasks and threads run. The duration is not significant.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Advances the clock of the timers of the code under test.
pub(crate) async fn advance(seconds: f64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs_f64(seconds)).await;
    tokio::time::resume();
}
