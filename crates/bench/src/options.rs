//! Command line options that all benchmarks share.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::Failure;
use crate::report::{Finding, Findings};

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub stack: Stack,
    /// The number of rounds. Compared measurements alternate within each round
    #[arg(long, value_name = "COUNT", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// The duration of each measurement in each round
    // Services close connections that are idle for a minute, so the other measurements of a round must not take longer.
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub secs: u32,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// The path of the measured program.
#[derive(Clone, Debug, Args)]
pub(crate) struct Stack {
    /// The program `stack`; by default the one in the directory of this program
    #[arg(long, value_name = "PATH")]
    stack: Option<PathBuf>,
}

impl Options {
    pub(crate) fn each(&self) -> Duration {
        Duration::from_secs(self.secs.into())
    }

    pub(crate) fn report(&self, findings: Vec<Finding>) -> Findings {
        Findings::new(self.rounds, self.secs, findings)
    }
}

impl Stack {
    pub(crate) fn program(&self) -> Result<PathBuf, Failure> {
        match &self.stack {
            Some(path) => Ok(path.clone()),
            None => Ok(std::env::current_exe()?.with_file_name("stack")),
        }
    }
}
