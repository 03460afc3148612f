//! Supervises one service process.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use auth::Backoff;
use service_kit::Env;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, watch};

use crate::config::ServiceConfig;

/// A service that ran for this long has started successfully, so its failures are counted anew.
const SETTLED: Duration = Duration::from_secs(10);
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
/// How long a service may take to stop after its delay, before it is killed: 2 seconds until its queue is empty, 10 for requests
/// in flight, and some for the rest.
const GRACE: Duration = Duration::from_secs(15);

/// The state of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not all services have been ready yet. A service that dies now can't start, so it is not restarted.
    Starting,
    /// A service that dies is restarted.
    Running,
    /// The groups of services up to this one stop (see [`stop_order`](crate::stop_order)). A service that dies is not restarted.
    Stopping(usize),
}

/// A service did not start.
#[derive(Debug)]
pub(crate) struct FailedToStart {
    pub service: String,
    pub status: Option<ExitStatus>,
}

/// Runs a service until its group stops, and restarts it when it dies. Reports a service that can't start, and ends.
pub(crate) async fn keep_running(
    service: ServiceConfig,
    group: usize,
    mut phase: watch::Receiver<Phase>,
    failed: mpsc::Sender<FailedToStart>,
) {
    let grace = grace(&service.name);
    let mut failures = 0;
    loop {
        let started = Instant::now();
        let status = match spawn(&service) {
            Ok((mut child, input)) => tokio::select! {
                status = child.wait() => status.ok(),
                () = stopping(&mut phase, group) => return stop(&service, child, input, grace).await,
            },
            Err(error) => {
                tracing::error!(service = service.name, %error, "can't start");
                None
            }
        };
        let how = status.map_or_else(|| "died".to_owned(), |status| format!("died ({status})"));
        let now = *phase.borrow();
        match now {
            Phase::Starting => {
                let service = service.name;
                // An error means that another service failed before.
                drop(failed.send(FailedToStart { service, status }).await);
                return;
            }
            Phase::Running => {}
            Phase::Stopping(_) => {
                // A signal to all processes at once stops services regularly, but not in their order.
                if !status.is_some_and(|status| status.success()) {
                    tracing::error!(service = service.name, "{how}");
                }
                return;
            }
        }
        failures = if started.elapsed() > SETTLED {
            1
        } else {
            failures + 1
        };
        let delay = BACKOFF.delay(failures);
        tracing::error!(service = service.name, "{how}; restarting in {delay:?}");
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = stopping(&mut phase, 0) => return,
        }
    }
}

/// Waits until this group of services should stop.
async fn stopping(phase: &mut watch::Receiver<Phase>, group: usize) {
    let is_stopping = |phase: &Phase| matches!(phase, Phase::Stopping(last) if *last >= group);
    // An error means that the sender is gone, so the platform is stopping too.
    drop(phase.wait_for(is_stopping).await);
}

/// How long a service may take to stop.
fn grace(service: &str) -> Duration {
    // The service itself reports an invalid value.
    GRACE + Env::load(service).duration("SHUTDOWN_DELAY", Duration::ZERO)
}

fn spawn(service: &ServiceConfig) -> io::Result<(Child, Option<ChildStdin>)> {
    let mut command = Command::new(program());
    command
        .args(["service", &service.name])
        .envs(&service.variables)
        // The service stops when this pipe closes, even if this process is killed. In its own process group it does not receive
        // Ctrl-C from the terminal, which this process handles.
        .stdin(Stdio::piped())
        .process_group(0);
    let mut child = command.spawn()?;
    let input = child.stdin.take();
    Ok((child, input))
}

/// The running program, even if a build has replaced its file.
#[cfg(target_os = "linux")]
fn program() -> std::path::PathBuf {
    "/proc/self/exe".into()
}

#[cfg(not(target_os = "linux"))]
fn program() -> std::path::PathBuf {
    std::env::current_exe().unwrap_or_else(|_| "stack".into())
}

async fn stop(service: &ServiceConfig, mut child: Child, input: Option<ChildStdin>, grace: Duration) {
    drop(input);
    if tokio::time::timeout(grace, child.wait()).await.is_err() {
        tracing::warn!(service = service.name, "did not stop in time; killing it");
        drop(child.kill().await);
    }
}

/// Runs in a service's process: exits some time after standard input has been closed. The service normally stops earlier by
/// itself, but not while it waits for its database and does not listen yet.
pub(crate) fn end_with_parent(service: &str) {
    let grace = grace(service);
    std::thread::spawn(move || {
        drop(io::copy(&mut io::stdin(), &mut io::sink()));
        std::thread::sleep(grace);
        std::process::exit(1);
    });
}
