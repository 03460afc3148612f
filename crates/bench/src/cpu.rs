//! The processor time of programs, as Linux reports it. Other systems report nothing.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use crate::Failure;

/// The unit of Linux's counters, `USER_HZ`, on all supported machines.
const TICK_MS: u64 = 10;

/// The processor time of each program so far.
pub(crate) type Used = BTreeMap<String, Duration>;

/// The processor time of a platform's services, of the PostgreSQL server with this process id, of this program, and of all others.
pub(crate) fn used(stack: u32, postgres: Option<u32>) -> Used {
    let mut used = Used::new();
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

/// The processor time of one process so far.
pub(crate) fn used_by(pid: u32) -> Result<Duration, Failure> {
    Process::read(pid)
        .map(|process| process.used)
        .ok_or_else(|| format!("no process {pid}").into())
}

/// The processor time of a process and its children so far.
pub(crate) fn used_by_family(pid: u32) -> Duration {
    all()
        .filter(|process| process.pid == pid || process.parent == pid)
        .map(|process| process.used)
        .sum()
}

/// The processor time of one of a platform's services so far.
pub(crate) fn used_by_service(stack: u32, service: &str) -> Result<Duration, Failure> {
    used(stack, None)
        .remove(service)
        .ok_or_else(|| format!("no process of {service}").into())
}

/// The process of one of a platform's services.
pub(crate) fn process_of_service(stack: u32, service: &str) -> Result<u32, Failure> {
    all()
        .find(|process| process.parent == stack && process.service().as_deref() == Some(service))
        .map(|process| process.pid)
        .ok_or_else(|| format!("no process of {service}").into())
}

/// Whether there is a process with this id.
pub(crate) fn is_running(pid: u32) -> bool {
    Process::read(pid).is_some()
}

/// A process and its children: `stack` and its services are those of a platform.
pub(crate) fn family(pid: u32) -> impl Iterator<Item = u32> {
    all()
        .filter(move |process| process.pid == pid || process.parent == pid)
        .map(|process| process.pid)
}

/// The processor time of all programs and the kernel.
fn busy() -> Option<Duration> {
    // proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal. The later fields are included in these.
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

/// The parent of all backends of the server that has this backend, if the server runs on this machine. On another machine,
/// the process with this id here is not PostgreSQL.
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
        // proc_pid_stat(5): the name, in brackets, may contain any characters. The next field has number 3.
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

    /// The name in the command line `stack service <name>`.
    fn service(&self) -> Option<String> {
        let arguments = fs::read_to_string(format!("/proc/{}/cmdline", self.pid)).ok()?;
        arguments.split('\0').nth(2).map(str::to_owned)
    }
}

fn all() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Process::read(entry.file_name().to_str()?.parse().ok()?))
}
