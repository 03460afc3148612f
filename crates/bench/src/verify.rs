//! Measures verifying a token, compared with the signature check alone.

use std::time::Duration;

use bench::verification;
use clap::Args;

use crate::cores::PinnedToCore;
use crate::options::Options;
use crate::report::Finding;
use crate::{Failure, cores, say};

/// With `--lines`: the number of lines per way, and the duration of each.
const LINES: usize = 5;
const LINE_DURATION: Duration = Duration::from_millis(300);

#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub options: Options,
    /// Print lines of name, nanoseconds and `ns`, separated by tabs
    #[arg(long, conflicts_with = "json")]
    pub lines: bool,
}

pub(crate) fn measure(options: &Options) -> Result<Vec<Finding>, Failure> {
    let [core, _] = cores::pair()?;
    let _here = PinnedToCore::new(core)?;
    say("verify: 10,000 tokens of each algorithm");
    let algorithms = verification::all()?;
    let mut findings = Vec::new();
    for mut ways in algorithms {
        let mut samples = [const { Vec::new() }; 3];
        for _ in 0..options.rounds {
            for (way, samples) in ways.iter_mut().zip(&mut samples) {
                samples.push(way.nanoseconds(options.each()));
            }
        }
        let [bare, cached, first_seen] = samples;
        let [bare_way, cached_way, first_seen_way] = &ways;
        let ratio = format!("verify: {} ÷ bare", first_seen_way.name());
        let ratio = Finding::ratio(ratio, &first_seen, &bare);
        findings.extend([
            Finding::new(format!("verify: {}", bare_way.name()), "ns", &bare),
            Finding::new(format!("verify: {}", cached_way.name()), "ns", &cached).at_most(300.0),
            Finding::new(format!("verify: {}", first_seen_way.name()), "ns", &first_seen),
            // HMAC costs less than parsing the claims, so this ratio has no goal.
            if bare_way.name().starts_with("EdDSA") {
                ratio.at_most(1.1)
            } else {
                ratio
            },
        ]);
    }
    Ok(findings)
}

/// Prints the lines of `--lines`.
pub(crate) fn print_lines() -> Result<(), Failure> {
    let mut algorithms = verification::all()?;
    for _ in 0..LINES {
        for [_, ours @ ..] in &mut algorithms {
            for way in ours {
                println!("{}\t{:.1}\tns", way.name(), way.nanoseconds(LINE_DURATION));
            }
        }
    }
    Ok(())
}
