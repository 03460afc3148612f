//! Logins a second, against what the hashes alone would allow; and a hash, against the C library's.

use std::num::NonZero;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::sync::Mutex;

use crate::hash::Hash;
use crate::load::Tally;
use crate::options::Options;
use crate::people::Person;
use crate::platform::Platform;
use crate::report::Finding;
use crate::wire::Wire;
use crate::{Failure, say};

/// At once, for each slot: enough that none is ever without work, too few to be refused.
const PEOPLE_FOR_A_SLOT: usize = 4;
/// With `--lines`.
const LINES: usize = 8;

#[derive(Debug, Args)]
pub(crate) struct Login {
    #[command(flatten)]
    pub options: Options,
    /// Only hash: print lines of name, milliseconds and `ms`, with tabs between, for a program that compares them with others'
    #[arg(long, conflicts_with = "json")]
    pub lines: bool,
}

pub(crate) async fn measure(options: &Options) -> Result<Vec<Finding>, Failure> {
    // As many as user-service has by default.
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let slots = u16::try_from(processors / 2)?.max(1);
    say(&format!("login: {slots} hashing slots"));
    let variables = [("HASH_SLOTS", &*slots.to_string())];
    let platform = Platform::start_with(&options.stack.program()?, None, &variables).await?;
    let mut people = Vec::new();
    for person in Person::register(&platform, usize::from(slots) * PEOPLE_FOR_A_SLOT).await? {
        people.push((person.login(), Mutex::new(Wire::open(platform.port("user-service")?).await?)));
    }
    let mut hash = Hash::new();
    let (mut ours, mut cs, mut logins, mut possible) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let (hash_ms, c_ms) = hashes(&mut hash, options.each())?;
        cs.extend(c_ms);
        ours.push(hash_ms);
        possible.push(f64::from(slots) * 1_000.0 / hash_ms);

        let mut tally = Tally::default();
        let log_in =
            async |(request, wire): &(String, Mutex<Wire>)| Ok(wire.lock().await.ask(request).await?.status);
        tally.add(&people, options.each(), log_in).await?;
        tally.expect_only(200)?;
        logins.push(tally.per_second());
    }
    let mut findings = vec![
        Finding::new("login: logins", "/s", &logins),
        Finding::ratio("login: logins/s ÷ (slots ÷ time of a hash)", &logins, &possible).at_least(0.95),
        Finding::new("login: a hash", "ms", &ours),
    ];
    if cs.is_empty() {
        say("login: there is no program argon2 to compare with (Debian's package argon2)");
    } else {
        findings.push(Finding::ratio("login: a hash ÷ libargon2's", &ours, &cs).at_most(0.85));
    }
    Ok(findings)
}

/// How long a hash takes, in ms, and one of the C library, if it is there. They take turns.
fn hashes(hash: &mut Hash, duration: Duration) -> Result<(f64, Option<f64>), Failure> {
    let begun = Instant::now();
    let (mut count, mut ours, mut c) = (0_u32, Duration::ZERO, Some(Duration::ZERO));
    while count == 0 || begun.elapsed() < duration {
        ours += hash.time()?;
        if let Some(so_far) = c {
            c = hash.time_of_c_library()?.map(|took| so_far + took);
        }
        count += 1;
    }
    let each_ms = |all: Duration| all.as_secs_f64() * 1_000.0 / f64::from(count);
    Ok((each_ms(ours), c.map(each_ms)))
}

/// The lines of our own hash.
pub(crate) fn print_lines() -> Result<(), Failure> {
    let mut hash = Hash::new();
    for _ in 0..LINES {
        println!("argon2id ours\t{:.2}\tms", hash.time()?.as_secs_f64() * 1_000.0);
    }
    Ok(())
}
