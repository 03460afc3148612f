//! Measures logins per second, compared with the limit that hashing sets; and a hash, compared with libargon2's.

use std::num::NonZero;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::sync::Mutex;

use crate::hash::{CLibrary, Hash};
use crate::load::Tally;
use crate::options::Options;
use crate::platform::Platform;
use crate::report::Finding;
use crate::users::User;
use crate::wire::Wire;
use crate::{Failure, say};

/// Concurrent users per slot: enough to keep every slot busy, too few to be refused.
const USERS_PER_SLOT: usize = 4;
/// The number of lines that `--lines` prints.
const LINES: usize = 8;

#[derive(Debug, Args)]
pub(crate) struct Login {
    #[command(flatten)]
    pub options: Options,
    /// Only measure hashes: print lines of name, milliseconds and `ms`, separated by tabs
    #[arg(long, conflicts_with = "json")]
    pub lines: bool,
}

pub(crate) async fn measure(options: &Options) -> Result<Vec<Finding>, Failure> {
    // The default of user-service.
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let slots = u16::try_from(processors / 2)?.max(1);
    say(&format!("login: {slots} hashing slots"));
    let variables = [("HASH_SLOTS", &*slots.to_string())];
    let platform = Platform::start_with(&options.stack.program()?, None, &variables).await?;
    let mut users = Vec::new();
    for user in User::register(&platform, usize::from(slots) * USERS_PER_SLOT).await? {
        users.push((
            user.login(),
            Mutex::new(Wire::open(platform.port("user-service")?).await?),
        ));
    }
    let mut hash = Hash::new();
    let mut library = CLibrary::open(&mut hash)?;
    let (mut ours, mut theirs, mut logins, mut possible) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let hash_ms = mean_ms(options.each(), || hash.time())?;
        ours.push(hash_ms);
        possible.push(f64::from(slots) * 1_000.0 / hash_ms);
        if let Some(library) = &mut library {
            theirs.push(mean_ms(options.each(), || library.time())?);
        }
        let mut tally = Tally::default();
        let log_in =
            async |(request, wire): &(String, Mutex<Wire>)| Ok(wire.lock().await.send(request).await?.status);
        tally.add(&users, options.each(), log_in).await?;
        tally.expect_only(200)?;
        logins.push(tally.per_second());
    }
    let mut findings = vec![
        Finding::new("login: logins", "/s", &logins),
        Finding::ratio("login: logins/s ÷ (slots ÷ time of a hash)", &logins, &possible).at_least(0.95),
        Finding::new("login: a hash", "ms", &ours),
    ];
    if library.is_some() {
        findings.push(Finding::ratio("login: a hash ÷ libargon2's", &ours, &theirs).at_most(0.85));
    } else {
        say("login: libargon2 is not installed (Debian packages libargon2-1 and python3)");
    }
    Ok(findings)
}

/// The mean time in milliseconds, measured for at least this duration.
fn mean_ms(duration: Duration, mut time: impl FnMut() -> Result<Duration, Failure>) -> Result<f64, Failure> {
    let started = Instant::now();
    let (mut count, mut taken) = (0_u32, Duration::ZERO);
    while count == 0 || started.elapsed() < duration {
        taken += time()?;
        count += 1;
    }
    Ok(taken.as_secs_f64() * 1_000.0 / f64::from(count))
}

/// Prints the lines of `--lines`.
pub(crate) fn print_lines() -> Result<(), Failure> {
    let mut hash = Hash::new();
    for _ in 0..LINES {
        println!("argon2id ours\t{:.2}\tms", hash.time()?.as_secs_f64() * 1_000.0);
    }
    Ok(())
}
