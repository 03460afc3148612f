//! Runs the whole platform on one machine, without installation: `cargo run -p stack`.
//!
//! Each service runs in its own process: this program starts itself again for each (`stack service <name>`), restarts those that
//! die, and stops all of them when it ends.
//!
//! Under the name of a service (`/usr/local/bin/user-service`), this program is that service alone. So container images need only
//! one build, which takes half as long as one for each service.
//!
//! `config` reads the configuration, `platform` starts and stops everything, `stop_order` says in which order, `child`
//! supervises one process.

mod child;
mod config;
mod databases;
mod generated;
mod platform;
mod stop_order;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use service_kit::StandardInput;

/// Runs the whole platform on this machine.
///
/// Reads its configuration from the environment and from `.env`: see `.env.example`.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs one service until standard input closes.
    #[command(hide = true)]
    Service { name: String },
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if let Some(launch) = own_name().as_deref().and_then(platform::launcher) {
        return launch(StandardInput::Ignored);
    }
    let Some(Command::Service { name }) = Arguments::parse().command else {
        return platform::run();
    };
    let Some(launch) = platform::launcher(&name) else {
        eprintln!("stack: unknown service {name}");
        return ExitCode::FAILURE;
    };
    child::end_with_parent(&name);
    launch(StandardInput::EndsWithParent)
}

/// The name under which this program was started.
fn own_name() -> Option<String> {
    let path = PathBuf::from(std::env::args_os().next()?);
    path.file_name()?.to_str().map(str::to_owned)
}
