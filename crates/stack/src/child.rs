//! One service, as a process that is watched over.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;

use crate::config::Configured;

/// Whoever ran for this long has not failed at starting.
const SETTLED: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long a service may take to stop before it is killed.
const GRACE: Duration = Duration::from_secs(12);

/// How far the platform is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not everything was ready once: what dies now will not start, however often it is tried.
    Starting,
    /// What dies now is started again.
    Running,
    Stopping,
}

/// A service did not start.
#[derive(Debug)]
pub(crate) struct FailedToStart {
    pub service: String,
    pub status: Option<ExitStatus>,
}

/// Runs a service until the platform stops, and starts it again whenever it dies.
pub(crate) async fn keep_running(
    service: Configured,
    mut phase: watch::Receiver<Phase>,
) -> Result<(), FailedToStart> {
    let mut pause = FIRST_PAUSE;
    loop {
        let begun = Instant::now();
        let status = match spawn(&service) {
            Ok((mut child, input)) => tokio::select! {
                status = child.wait() => status.ok(),
                () = stopping(&mut phase) => {
                    stop(&service, child, input).await;
                    return Ok(());
                }
            },
            Err(error) => {
                tracing::error!(service = service.name, %error, "can't be started");
                None
            }
        };
        if *phase.borrow() == Phase::Starting {
            return Err(FailedToStart {
                service: service.name,
                status,
            });
        }
        pause = if begun.elapsed() > SETTLED {
            FIRST_PAUSE
        } else {
            (pause * 2).min(LONGEST_PAUSE)
        };
        let how = status.map_or_else(|| "died".to_owned(), |status| format!("died ({status})"));
        tracing::error!(service = service.name, "{how}; starting it again in {pause:?}");
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stopping(&mut phase) => return Ok(()),
        }
    }
}

async fn stopping(phase: &mut watch::Receiver<Phase>) {
    // Whoever would tell being gone means the same.
    drop(phase.wait_for(|phase| *phase == Phase::Stopping).await);
}

fn spawn(service: &Configured) -> io::Result<(Child, Option<ChildStdin>)> {
    // The program that is running, also where a build has put another in its place.
    let mut command = Command::new(program());
    command
        .args(["service", &service.name])
        .envs(&service.variables)
        // It ends when this pipe closes, however this program dies; and an interrupt from the terminal is this program's to
        // handle.
        .stdin(Stdio::piped())
        .process_group(0);
    let mut child = command.spawn()?;
    let input = child.stdin.take();
    Ok((child, input))
}

#[cfg(target_os = "linux")]
fn program() -> std::path::PathBuf {
    "/proc/self/exe".into()
}

#[cfg(not(target_os = "linux"))]
fn program() -> std::path::PathBuf {
    std::env::current_exe().unwrap_or_else(|_| "stack".into())
}

async fn stop(service: &Configured, mut child: Child, input: Option<ChildStdin>) {
    drop(input);
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        tracing::warn!(service = service.name, "did not stop in time and is killed");
        drop(child.kill().await);
    }
}

/// In a service's own process: ends it once the stack has been gone for as long as a service may take to stop. It stops by
/// itself in that time, unless it is still waiting for its database and does not listen.
pub(crate) fn end_with_parent() {
    std::thread::spawn(|| {
        drop(io::copy(&mut io::stdin(), &mut io::sink()));
        std::thread::sleep(GRACE);
        std::process::exit(1);
    });
}
