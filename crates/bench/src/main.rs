//! Measures the platform: `scripts/bench`. It starts the program `stack` with data of its own, and asks it as its clients would.
//!
//! To read it: each command is a module, which says what is measured and in which order. `load` is how many ask at once, `wire`
//! how one asks, `report` what comes of it.

mod commits;
mod cores;
mod cpu;
mod database;
mod flood;
mod hash;
mod load;
mod login;
mod memory;
mod options;
mod orders;
mod people;
mod platform;
mod refresh;
mod report;
mod route;
mod route_server;
mod seed;
mod service_token;
mod shop;
mod start;
mod verify;
mod wire;

use std::process::ExitCode;

use bench::Failure;
use clap::{Parser, Subcommand};
use service_kit::Shutdown;

use crate::database::Server;
use crate::options::Options;
use crate::report::{Whole, print};

/// Measures the platform.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Verifying a token, seen before or not, against the bare check of its signature.
    Verify(verify::Verify),
    /// The processor time of a protected route's request, against that of one that anybody may send.
    Route(route::Route),
    /// Serves what `route` measures.
    #[command(hide = true)]
    RouteServer(route_server::Served),
    /// Logins per second, against what hashing alone would allow; and a hash, against libargon2's.
    Login(login::Login),
    /// Refreshes per second, against the engine's bare commits: on SQLite, and on the PostgreSQL server that
    /// `TEST_DATABASE_URL` names, if it does.
    Refresh(Options),
    /// Tokens for services: per second, and per second of user-service's processor time.
    ServiceToken(Options),
    /// How long verified requests take while far more people log in than can be let in.
    Flood(Options),
    /// Memory of all processes, idle and under load.
    Memory(Options),
    /// How long it takes until everything is ready, with no data before: on the engines that `refresh` is for.
    Start(Options),
    /// Orders per second and how long they take, on tables of several sizes: on the engines that `refresh` is for.
    Orders(orders::Options),
    /// All of these, in turn.
    All(Options),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::RouteServer(served) => route_server::run(&served),
        command => run(&command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run(command: &Command) -> Result<(), Failure> {
    let shutdown = Shutdown::on_signal()?;
    if let Command::Route(route::Route {
        serve: Some(directory),
        ..
    }) = command
    {
        return tokio::select! { served = route::serve(directory) => served, () = shutdown => Ok(()) };
    }
    let server = Server::from_environment().await?;
    let outcome = tokio::select! {
        outcome = measure(command, server.as_ref()) => outcome,
        () = shutdown => Err("interrupted".into()),
    };
    // The platforms have ended with what was measured, so nobody holds them any more.
    if let Some(server) = server {
        server.drop_all().await?;
    }
    outcome
}

async fn measure(command: &Command, server: Option<&Server>) -> Result<(), Failure> {
    let (options, findings) = match command {
        Command::Verify(verify::Verify { lines: true, .. }) => return verify::print_lines(),
        Command::Login(login::Login { lines: true, .. }) => return login::print_lines(),
        Command::Orders(options) => return print(&orders::measure(options, server).await?, options.json),
        Command::All(options) => return all(options, server).await,
        Command::Verify(verify::Verify { options, .. }) => (options, verify::measure(options)?),
        Command::Route(route::Route { options, .. }) => (options, route::measure(options).await?),
        Command::Login(login::Login { options, .. }) => (options, login::measure(options).await?),
        Command::Refresh(options) => (options, refresh::measure(options, server).await?),
        Command::ServiceToken(options) => (options, service_token::measure(options).await?),
        Command::Flood(options) => (options, flood::measure(options).await?),
        Command::Memory(options) => (options, memory::measure(options).await?),
        Command::Start(options) => (options, start::measure(options, server).await?),
        Command::RouteServer(_) => return Err("a server measures nothing".into()),
    };
    print(&options.report(findings), options.json)
}

/// What fails is told at the end, so that it takes nothing along of what was measured.
async fn all(options: &Options, server: Option<&Server>) -> Result<(), Failure> {
    let found = [
        verify::measure(options),
        route::measure(options).await,
        login::measure(options).await,
        refresh::measure(options, server).await,
        service_token::measure(options).await,
        flood::measure(options).await,
        memory::measure(options).await,
        start::measure(options, server).await,
    ];
    let (mut findings, mut failures) = (Vec::new(), Vec::new());
    for found in found {
        match found {
            Ok(found) => findings.extend(found),
            Err(failure) => failures.push(failure.to_string()),
        }
    }
    let orders = orders::measure(&orders::Options::of(options), server).await;
    let orders = orders.map_err(|failure| failures.push(failure.to_string())).ok();
    print(
        &Whole {
            findings: options.report(findings),
            orders,
        },
        options.json,
    )?;
    if failures.is_empty() {
        Ok(())
    } else {
        Err(failures.join("; ").into())
    }
}

/// Says on standard error what is going on.
fn say(what: &str) {
    eprintln!("== {what}");
}
