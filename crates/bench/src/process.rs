//! A program in its own process that listens on a port.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::Failure;
use crate::cores::PinnedToCore;

const START_TIMEOUT: Duration = Duration::from_secs(10);
const STOP_TIMEOUT: Duration = Duration::from_secs(12);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A running program. Dropping this stops it.
#[derive(Debug)]
pub(crate) struct Process {
    pub pid: u32,
    child: Child,
}

impl Process {
    /// Starts a program on this core, or on any, and waits until it listens on this port. Its output goes to the file `log`.
    pub(crate) async fn start(
        mut command: Command,
        log: PathBuf,
        core: Option<usize>,
        port: u16,
    ) -> Result<Self, Failure> {
        let output = File::create(&log)?;
        command.stdout(output.try_clone()?).stderr(output);
        // `stack` stops when its standard input closes.
        command.stdin(Stdio::piped()).kill_on_drop(true);
        let child = {
            let _there = core.map(PinnedToCore::new).transpose()?;
            command.spawn()?
        };
        let pid = child.id().ok_or("the program has stopped")?;
        let mut process = Self { pid, child };
        let started = Instant::now();
        while started.elapsed() < START_TIMEOUT && process.child.try_wait()?.is_none() {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok() {
                return Ok(process);
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        let program = command.as_std().get_program().display();
        Err(format!("{program} did not start:\n{}", fs::read_to_string(log)?).into())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let pid = Pid::from_raw(self.pid.try_into().unwrap_or_default());
        // nginx needs the signal to stop its worker, too.
        if pid.is_none_or(|pid| kill_process(pid, Signal::TERM).is_err()) {
            return;
        }
        let started = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && started.elapsed() < STOP_TIMEOUT {
            std::thread::sleep(POLL_INTERVAL);
        }
    }
}

/// A free port whose inner port is free, too.
pub(crate) fn free_port() -> Result<u16, Failure> {
    const INNER_PORT_DISTANCE: u16 = 1_000;
    for _ in 0..100 {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let inner = port.checked_add(INNER_PORT_DISTANCE);
        if inner.is_some_and(|inner| TcpListener::bind((Ipv4Addr::LOCALHOST, inner)).is_ok()) {
            return Ok(port);
        }
    }
    Err("no free ports".into())
}
