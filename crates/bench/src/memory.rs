//! Measures the memory of a platform's processes, idle and under load.

use std::cell::Cell;
use std::fs;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::load::Tally;
use crate::options::Options;
use crate::platform::Platform;
use crate::report::Finding;
use crate::shop::Shop;
use crate::users::User;
use crate::wire::Wire;
use crate::{Failure, cpu, say};

/// The number of users who log in while buyers place orders.
const USERS: usize = 16;
const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);

pub(crate) async fn measure(options: &Options) -> Result<Vec<Finding>, Failure> {
    say("memory: a platform for each round");
    let (mut idle, mut loaded) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let platform = Platform::start(&options.stack.program()?, None).await?;
        let stack = platform.pid().ok_or("the platform has stopped")?;
        idle.push(Memory::of(stack)?);
        loaded.push(under_load(&platform, stack, options.each()).await?);
    }
    let findings = [("idle", &idle, 120.0), ("under load", &loaded, 400.0)].map(|(when, held, goal)| {
        let [resident, shared_out] = [|held: &Memory| held.resident, |held: &Memory| held.shared_out]
            .map(|kind| held.iter().map(|held| megabytes(kind(held))).collect::<Vec<_>>());
        [
            Finding::new(format!("memory: {when}, resident"), "MB", &resident).at_most(goal),
            Finding::new(
                format!("memory: {when}, shared memory counted once"),
                "MB",
                &shared_out,
            ),
        ]
    });
    Ok(findings.into_iter().flatten().collect())
}

/// The maximum during orders and logins.
async fn under_load(platform: &Platform, stack: u32, duration: Duration) -> Result<Memory, Failure> {
    let shop = Shop::open(platform).await?;
    let mut users = Vec::new();
    for user in User::register(platform, USERS).await? {
        users.push((
            user.login(),
            Mutex::new(Wire::open(platform.port("user-service")?).await?),
        ));
    }
    let log_in =
        async |(request, wire): &(String, Mutex<Wire>)| Ok(wire.lock().await.send(request).await?.status);
    let (mut logins, mut orders) = (Tally::default(), Tally::default());
    let load = async {
        tokio::try_join!(
            logins.add(&users, duration, log_in),
            orders.add(&shop.buyers, duration, async |buyer| shop.order(buyer).await),
        )
    };
    let most = Cell::new(Memory::default());
    tokio::select! {
        done = load => done.map(drop)?,
        Err(broken) = watch(stack, &most) => return Err(broken),
    }
    logins.expect_only(200)?;
    orders.expect_only(201)?;
    Ok(most.get())
}

async fn watch(stack: u32, most: &Cell<Memory>) -> Result<(), Failure> {
    loop {
        most.set(most.get().or_more(Memory::of(stack)?));
        tokio::time::sleep(SAMPLE_INTERVAL).await;
    }
}

/// The resident memory of a process and its children, in megabytes.
pub(crate) fn resident_megabytes(pid: u32) -> Result<f64, Failure> {
    Ok(megabytes(Memory::of(pid)?.resident))
}

/// Memory of processes, in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Memory {
    /// Resident memory. Shared memory, such as the program itself, counts for each process.
    resident: u32,
    /// Resident memory, with shared memory divided among the processes that share it.
    shared_out: u32,
}

impl Memory {
    /// The memory of a process and its children.
    fn of(pid: u32) -> Result<Self, Failure> {
        let mut all = Self::default();
        for process in cpu::family(pid) {
            // proc_pid_smaps(5)
            let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
            let of = Self::read(&text).ok_or("the memory of a process can't be read")?;
            all = Self {
                resident: all.resident + of.resident,
                shared_out: all.shared_out + of.shared_out,
            };
        }
        Ok(all)
    }

    fn read(text: &str) -> Option<Self> {
        let field = |name| {
            let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
            rest.trim().strip_suffix(" kB")?.parse().ok()
        };
        Some(Self {
            resident: field("Rss:")?,
            shared_out: field("Pss:")?,
        })
    }

    fn or_more(self, other: Self) -> Self {
        Self {
            resident: self.resident.max(other.resident),
            shared_out: self.shared_out.max(other.shared_out),
        }
    }
}

/// Megabytes of 1,000,000 bytes.
fn megabytes(kib: u32) -> f64 {
    f64::from(kib) * 1_024.0 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_process_is_parsed() {
        let text = "55d0-7ffc ---p 00000000 00:00 0  [rollup]\nRss:     2048 kB\nPss:      512 kB\nPss_Dirty: 8 kB\n";
        assert_eq!(
            Memory::read(text),
            Some(Memory {
                resident: 2_048,
                shared_out: 512
            })
        );
        assert_eq!(Memory::read("Rss: 2048 kB\n"), None);
    }
}
