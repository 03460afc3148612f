//! The whole platform on one machine, nothing installed: `cargo run -p stack`.
//!
//! Each service is a process of its own. This program runs itself again for each (`stack service <name>`), watches over them,
//! and takes them along when it ends.
//!
//! To read it: `config` is what it is told and what it makes up, `platform` the order of things, `child` one process.

mod child;
mod config;
mod databases;
mod generated;
mod platform;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use service_kit::StandardInput;

/// Runs the whole platform on this machine.
///
/// It is configured by the environment and by `.env`: see `.env.example`.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs one service, until standard input closes.
    #[command(hide = true)]
    Service { name: String },
}

fn main() -> ExitCode {
    let Some(Command::Service { name }) = Arguments::parse().command else {
        return platform::run();
    };
    let Some((_, launch)) = platform::SERVICES.iter().find(|(known, _)| *known == name) else {
        eprintln!("stack: there is no service {name}");
        return ExitCode::FAILURE;
    };
    child::end_with_parent();
    launch(StandardInput::EndsWithParent)
}
