//! How much is measured, and of which program.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::Failure;
use crate::report::{Finding, Findings};

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub stack: Stack,
    /// How often everything is measured. What is compared takes turns within each round
    #[arg(long, value_name = "COUNT", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// For how long each thing is measured in each round
    // A service closes what is idle for a minute, and while others have their turns, connections are.
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub secs: u32,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Where the program is that is measured.
#[derive(Clone, Debug, Args)]
pub(crate) struct Stack {
    /// The program `stack`; by default the one beside this program
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
