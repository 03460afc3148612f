//! Measures the platform: `scripts/bench`. It starts the program `stack` with data of its own, and asks it as its clients would.
//!
//! To read it: `orders` is what is measured and in which order, `shop` what the clients do, `load` how they do it at once, `seed`
//! what was there before them.

mod commits;
mod cpu;
mod database;
mod load;
mod orders;
mod platform;
mod report;
mod seed;
mod shop;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use service_kit::Shutdown;

use crate::database::Server;

/// Why nothing could be measured, for whoever started it.
type Failure = Box<dyn Error>;

/// Measures the platform.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Orders per second and how long they take, on tables of several sizes: on SQLite, and on the PostgreSQL server that
    /// `TEST_DATABASE_URL` names, if it does.
    Orders(orders::Options),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Command::Orders(options) = Arguments::parse().command;
    match measure(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(options: &orders::Options) -> Result<(), Failure> {
    let shutdown = Shutdown::on_signal()?;
    let server = Server::from_environment().await?;
    let outcome = tokio::select! {
        report = orders::measure(options, server.as_ref()) => report,
        () = shutdown => Err("interrupted".into()),
    };
    // The platforms have ended with what was measured, so nobody holds them any more.
    if let Some(server) = server {
        server.drop_all().await?;
    }
    report::print(&outcome?, options.json)
}

/// Says on standard error what is going on.
fn say(what: &str) {
    eprintln!("== {what}");
}
