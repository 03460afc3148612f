//! Measures revocations: how soon every service refuses a token of an ended session, what many revocations cost, and the feed with
//! many readers.

mod fan_out;
mod gauge;
mod growth;
mod latency;
mod readers;
mod restart;
mod sessions;
mod snapshot;
mod transport;

use clap::Args;

use self::transport::Transport;
use crate::options::{self, Stack};
use crate::report::RevocationReport;
use crate::{Failure, say};

/// Logins are not the subject, so hashes are cheap.
const VARIABLES: [(&str, &str); 3] = [
    ("ARGON2_MEMORY_KIB", "64"),
    ("ARGON2_PASSES", "1"),
    ("RATE_LIMIT", "0"),
];
/// The numbers of revocations. The last one is the capacity of a set.
const SIZES: [u32; 5] = [0, 1_000, 10_000, 100_000, 1_000_000];
const PROCESS_GONE: &str = "the platform has stopped";

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    stack: Stack,
    /// The number of sessions that log out, with each transport
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    sessions: u32,
    /// The number of readers that are connected to the feed at the same time
    #[arg(long, value_name = "COUNT", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    readers: u32,
    /// The number of rounds of verifications. The sizes alternate within each round
    #[arg(long, value_name = "COUNT", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=30))]
    rounds: u32,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

impl Options {
    /// With the number of rounds of the other benchmarks.
    pub(crate) fn of(options: &options::Options) -> Self {
        Self {
            stack: options.stack.clone(),
            sessions: 1_000,
            readers: 1_000,
            rounds: options.rounds.min(30),
            json: options.json,
        }
    }
}

/// Measures all parts. A part that fails does not affect the others: the report has its error.
pub(crate) async fn measure(options: &Options) -> Result<RevocationReport, Failure> {
    let mut report = RevocationReport::new(options.sessions, options.rounds);
    for transport in Transport::all().await? {
        let measured = match &transport {
            Ok(transport) => latency::measure(options, transport).await,
            Err(missing) => Ok(Err(missing.clone())),
        };
        match report.result_of(measured) {
            Some(Ok(latency)) => {
                report.figures.extend(latency::goals(&latency));
                report.delays.extend(latency.rows());
            }
            Some(Err(reason)) => {
                say(&reason);
                report.not_measured.push(reason);
            }
            None => {}
        }
    }
    let snapshots = report.result_of(snapshot::measure(options).await);
    let growth = report.result_of(growth::measure(options, &snapshots.unwrap_or_default()));
    report.growth = growth.unwrap_or_default();
    if let Some(fan_out) = report.result_of(fan_out::measure(options).await) {
        report.delays.push(fan_out.arrivals);
        report.figures.extend(fan_out.figures);
    }
    Ok(report)
}
