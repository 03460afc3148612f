//! Supervises one service process.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use auth::Backoff;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;

use crate::config::ServiceConfig;

/// A service that ran for this long has started successfully, so its failures are counted anew.
const SETTLED: Duration = Duration::from_secs(10);
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
/// How long a service may take to stop before it is killed.
const GRACE: Duration = Duration::from_secs(12);

/// The state of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not all services have been ready yet. A service that dies now can't start, so it is not restarted.
    Starting,
    /// A service that dies is restarted.
    Running,
    Stopping,
}

/// A service did not start.
#[derive(Debug)]
pub(crate) struct FailedToStart {
    pub service: String,
    pub status: Option<ExitStatus>,
}

/// Runs a service until the platform stops, and restarts it when it dies.
pub(crate) async fn keep_running(
    service: ServiceConfig,
    mut phase: watch::Receiver<Phase>,
) -> Result<(), FailedToStart> {
    let mut failures = 0;
    loop {
        let started = Instant::now();
        let status = match spawn(&service) {
            Ok((mut child, input)) => tokio::select! {
                status = child.wait() => status.ok(),
                () = stopping(&mut phase) => {
                    stop(&service, child, input).await;
                    return Ok(());
                }
            },
            Err(error) => {
                tracing::error!(service = service.name, %error, "can't start");
                None
            }
        };
        if *phase.borrow() == Phase::Starting {
            return Err(FailedToStart {
                service: service.name,
                status,
            });
        }
        failures = if started.elapsed() > SETTLED {
            1
        } else {
            failures + 1
        };
        let delay = BACKOFF.delay(failures);
        let how = status.map_or_else(|| "died".to_owned(), |status| format!("died ({status})"));
        tracing::error!(service = service.name, "{how}; restarting in {delay:?}");
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = stopping(&mut phase) => return Ok(()),
        }
    }
}

async fn stopping(phase: &mut watch::Receiver<Phase>) {
    // An error means that the sender is gone, so the platform is stopping too.
    drop(phase.wait_for(|phase| *phase == Phase::Stopping).await);
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

async fn stop(service: &ServiceConfig, mut child: Child, input: Option<ChildStdin>) {
    drop(input);
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        tracing::warn!(service = service.name, "did not stop in time; killing it");
        drop(child.kill().await);
    }
}

/// Runs in a service's process: exits when standard input has been closed for [`GRACE`]. The service normally stops earlier by
/// itself, but not while it waits for its database and does not listen yet.
pub(crate) fn end_with_parent() {
    std::thread::spawn(|| {
        drop(io::copy(&mut io::stdin(), &mut io::sink()));
        std::thread::sleep(GRACE);
        std::process::exit(1);
    });
}
