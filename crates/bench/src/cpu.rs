//! How much of the processors each program uses, as Linux tells it. Elsewhere nothing is told.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use crate::Failure;
use crate::database::Server;

/// What Linux counts in, on every machine that this runs on.
const TICK_MS: u64 = 10;

/// What each program has used so far.
pub(crate) type Used = BTreeMap<String, Duration>;

/// What is used by a platform's services, by the PostgreSQL server if it is on this machine, by this program, and by all others.
pub(crate) fn used(stack: u32, server: Option<&Server>) -> Used {
    let mut used = Used::new();
    let postgres = server.and_then(|server| server.process);
    for process in all() {
        let name = if process.parent == stack {
            process.service().unwrap_or_default()
        } else if process.pid == std::process::id() {
            "bench".to_owned()
        } else if Some(process.parent) == postgres || Some(process.pid) == postgres {
            "postgres".to_owned()
        } else {
            continue;
        };
        *used.entry(name).or_default() += process.used;
    }
    if let Some(busy) = busy() {
        let ours = used.values().sum();
        used.insert("others".to_owned(), busy.saturating_sub(ours));
    }
    used
}

/// What one process has used so far.
pub(crate) fn used_by(pid: u32) -> Result<Duration, Failure> {
    Process::read(pid)
        .map(|process| process.used)
        .ok_or_else(|| format!("nothing is known of process {pid}").into())
}

/// What one of a platform's services has used so far.
pub(crate) fn used_by_service(stack: u32, service: &str) -> Result<Duration, Failure> {
    used(stack, None)
        .remove(service)
        .ok_or_else(|| format!("nothing is known of {service}'s process").into())
}

/// A platform's processes: the one that watches over the others, and those.
pub(crate) fn family(stack: u32) -> impl Iterator<Item = u32> {
    all()
        .filter(move |process| process.pid == stack || process.parent == stack)
        .map(|process| process.pid)
}

/// What all programs have used, and the kernel.
fn busy() -> Option<Duration> {
    // proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal; what follows is counted in these.
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let ticks = stat
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .take(8)
        .map(str::parse);
    let ticks: Vec<u64> = ticks.collect::<Result<_, _>>().ok()?;
    let [user, nice, system, _, _, irq, softirq, steal] = ticks.try_into().ok()?;
    Some(Duration::from_millis(
        TICK_MS * (user + nice + system + irq + softirq + steal),
    ))
}

/// The process that all connections to the server have come from, of which this one is: if it is a server's at all, and not that
/// of a stranger whose number on this machine is the same as the server's on its own.
pub(crate) fn parent_of_postgres(backend: u32) -> Option<u32> {
    let process = Process::read(backend)?;
    process.is_postgres.then_some(process.parent)
}

struct Process {
    pid: u32,
    parent: u32,
    is_postgres: bool,
    used: Duration,
}

impl Process {
    fn read(pid: u32) -> Option<Self> {
        // proc_pid_stat(5): the name, in brackets, may hold anything; the fields behind it are counted from 3.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (name, fields) = stat.rsplit_once(')')?;
        let fields: Vec<_> = fields.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let (user, system) = (field(14)?, field(15)?);
        Some(Self {
            pid,
            parent: field(4)?.try_into().ok()?,
            is_postgres: name.ends_with("(postgres"),
            used: Duration::from_millis(TICK_MS * (user + system)),
        })
    }

    /// What it was started as: `stack service <name>`.
    fn service(&self) -> Option<String> {
        let arguments = fs::read_to_string(format!("/proc/{}/cmdline", self.pid)).ok()?;
        arguments.split('\0').nth(2).map(str::to_owned)
    }
}

fn all() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Process::read(entry.file_name().to_str()?.parse().ok()?))
}
