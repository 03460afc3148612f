//! Processes of the system.

use rustix::process::{Pid, Signal, kill_process};

/// A running process.
#[derive(Debug)]
pub struct Process {
    pub pid: u32,
    parent: u32,
    /// Its command line.
    pub arguments: String,
}

/// The child processes of a process.
pub fn children_of(parent: u32) -> Vec<Process> {
    all()
        .into_iter()
        .filter(|process| process.parent == parent)
        .collect()
}

/// Sends a signal to a process that the test started.
pub fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

#[cfg(target_os = "linux")]
fn all() -> Vec<Process> {
    let pids = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: u32| {
        // A process may end while it is inspected.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // proc_pid_stat(5): the name, in brackets, may contain any characters; then come the state and the parent.
        let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        Some(Process {
            pid,
            parent,
            arguments: file_of(pid, "cmdline")?.replace('\0', " "),
        })
    })
    .collect()
}

/// A file of a process in `/proc`.
#[cfg(target_os = "linux")]
pub fn file_of(pid: u32, name: &str) -> Option<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/{name}")).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(not(target_os = "linux"))]
fn all() -> Vec<Process> {
    let listed = std::process::Command::new("ps")
        .args(["-axo", "pid=,ppid=,args="])
        .output()
        .unwrap();
    let lines = String::from_utf8_lossy(&listed.stdout).into_owned();
    lines
        .lines()
        .filter_map(|line| {
            let (pid, rest) = line.trim_start().split_once(' ')?;
            let (parent, arguments) = rest.trim_start().split_once(' ')?;
            Some(Process {
                pid: pid.parse().ok()?,
                parent: parent.parse().ok()?,
                arguments: arguments.to_owned(),
            })
        })
        .collect()
}
