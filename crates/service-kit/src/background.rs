//! Background tasks: work that runs beside the requests, is restarted when it fails, and never fails unnoticed.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use auth::Backoff;
use futures_util::FutureExt as _;

const RESTART: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(30));
/// Consecutive failures after which a task makes its service not ready. One panic should not take a replica out of service.
const MAX_FAILURES: u32 = 3;
/// A task that has run for this long has recovered: its failures are forgotten.
const RECOVERED_AFTER: Duration = Duration::from_secs(10);

/// Whether a background task runs, for the readiness check.
#[derive(Clone, Debug)]
pub(crate) struct TaskHealth(Arc<AtomicBool>);

impl TaskHealth {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    pub(crate) fn is_good(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, is_good: bool) {
        self.0.store(is_good, Ordering::Relaxed);
    }
}

/// Runs a task until this future is dropped. A task that returns or panics has failed: that is logged as an error, and the
/// task starts again after a delay that grows with its consecutive failures, from 0.2 to 30 seconds.
pub(crate) async fn supervise<F>(name: &'static str, task: impl Fn() -> F, health: TaskHealth)
where
    F: Future<Output = ()>,
{
    let mut failures = 0_u32;
    loop {
        // A panic in `task` itself, before there is a future, is caught too.
        let mut run = pin!(AssertUnwindSafe(async { task().await }).catch_unwind());
        let ended = if let Ok(ended) = tokio::time::timeout(RECOVERED_AFTER, &mut run).await {
            ended
        } else {
            failures = 0;
            health.set(true);
            run.await
        };

        failures = failures.saturating_add(1);
        if failures >= MAX_FAILURES {
            health.set(false);
        }
        let delay = RESTART.delay(failures);
        match ended {
            Ok(()) => tracing::error!(
                task = name,
                failures,
                ?delay,
                "background task returned; restarting it"
            ),
            Err(panic) => {
                let panic = message(panic.as_ref());
                tracing::error!(
                    task = name,
                    failures,
                    ?delay,
                    panic,
                    "background task panicked; restarting it"
                );
            }
        }
        tokio::time::sleep(delay).await;
    }
}

/// The message of a panic. It is text unless `panic_any` was called.
fn message(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::{self, Write};
    use std::sync::{Mutex, PoisonError};

    use tokio::time::{Instant, sleep, timeout};

    use super::*;

    /// Runs a task for this long on the paused clock.
    async fn run_for<F: Future<Output = ()>>(time: Duration, task: impl Fn() -> F, health: &TaskHealth) {
        let supervisor = supervise("worker", task, health.clone());
        assert!(timeout(time, supervisor).await.is_err(), "the supervisor ended");
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_returns_is_restarted_with_growing_delays() {
        let (starts, health) = (Cell::new(0), TaskHealth::new());
        let task = async || starts.set(starts.get() + 1);
        run_for(Duration::from_secs(2), task, &health).await;
        // Delays of at most 0.2, 0.4 and 0.8 seconds.
        assert!((4..=6).contains(&starts.get()), "{} starts", starts.get());
        starts.set(0);
        run_for(Duration::from_secs(3_600), task, &health).await;
        // At most 30 seconds apart, and seldom less than 15.
        assert!((120..=260).contains(&starts.get()), "{} starts", starts.get());
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_is_not_ready_from_the_third_failure_until_the_task_recovers() {
        let (begun, health) = (Instant::now(), TaskHealth::new());
        let (starts, seen) = (Cell::new(0), health.clone());
        let task = || {
            starts.set(starts.get() + 1);
            // Checked at each start, after that many failures less one.
            let was_good = seen.is_good();
            assert_eq!(was_good, starts.get() <= 3, "start {}", starts.get());
            async {
                if starts.get() < 5 {
                    return;
                }
                sleep(RECOVERED_AFTER * 9 / 10).await;
                assert!(!seen.is_good());
                sleep(RECOVERED_AFTER / 5).await;
                assert!(seen.is_good());
                std::future::pending::<()>().await;
            }
        };
        run_for(Duration::from_secs(3_600), task, &health).await;
        assert_eq!(starts.get(), 5);
        assert!(health.is_good() && begun.elapsed() > RECOVERED_AFTER);
    }

    #[tokio::test(start_paused = true)]
    async fn failures_far_apart_do_not_add_up() {
        let (starts, health) = (Cell::new(0), TaskHealth::new());
        let seen = health.clone();
        let task = async || {
            starts.set(starts.get() + 1);
            assert!(seen.is_good());
            sleep(RECOVERED_AFTER * 2).await;
        };
        run_for(Duration::from_secs(3_600), task, &health).await;
        assert!(starts.get() > 100, "{} starts", starts.get());
    }

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_logged_with_its_task_and_message_and_the_task_is_restarted() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let _logging = tracing::subscriber::set_default(subscriber);

        let (starts, health) = (Cell::new(0), TaskHealth::new());
        let task = || {
            starts.set(starts.get() + 1);
            assert_ne!(starts.get(), 1, "before the future");
            async {
                sleep(Duration::from_millis(1)).await;
                assert_ne!(starts.get(), 2, "inside the future");
                if starts.get() == 3 {
                    std::panic::panic_any(7);
                }
                std::future::pending::<()>().await;
            }
        };
        run_for(Duration::from_secs(60), task, &health).await;
        assert_eq!(starts.get(), 4);

        let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<_> = log.lines().collect();
        assert_eq!(lines.len(), 3, "{log}");
        for (line, message) in lines
            .iter()
            .zip(["before the future", "inside the future", "no message"])
        {
            for part in ["ERROR", r#"task="worker""#, "background task panicked", message] {
                assert!(line.contains(part), "{part} is not in {line}");
            }
        }
    }
}
