//! Measures the platform: `scripts/bench`. Starts the program `stack` with fresh data and sends requests as clients do.
//!
//! Each command is a module. `load` sends concurrent requests, `wire` is a minimal HTTP client, `report` prints the results.

mod commits;
mod cores;
mod cpu;
mod database;
mod flood;
mod gateway;
mod hash;
mod installed;
mod load;
mod login;
mod memory;
mod options;
mod orders;
mod platform;
mod process;
mod refresh;
mod report;
mod revocation;
mod route;
mod route_server;
mod seed;
mod service_token;
mod shop;
mod start;
mod strategies;
mod users;
mod verify;
mod wire;

use std::process::ExitCode;

use bench::Failure;
use clap::{Parser, Subcommand};
use service_kit::Shutdown;

use crate::database::Server;
use crate::options::Options;
use crate::report::{FullReport, print};

/// Measures the platform.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Verifying a token, cached or first seen, compared with the signature check alone.
    Verify(verify::Verify),
    /// The processor time per request of a protected route, an open route, and actix-web alone.
    Route(route::Route),
    /// Serves the routes that `route` measures.
    #[command(hide = true)]
    RouteServer(route_server::Options),
    /// The processor time per request of the gateway, compared with `HAProxy`, which verifies tokens too, and with nginx.
    Gateway(gateway::Options),
    /// Logins per second, compared with the limit that hashing sets; and a hash, compared with libargon2's.
    Login(login::Login),
    /// Refreshes per second, compared with commits of the engine alone: on SQLite, and on the PostgreSQL server in
    /// `TEST_DATABASE_URL`, if it is set.
    Refresh(Options),
    /// Service tokens per second, and per second of user-service's processor time.
    ServiceToken(Options),
    /// The processor time and the latency of a request with each `AUTH_STRATEGY`.
    Strategies(Options),
    /// The latency of verified requests during a flood of logins.
    Flood(Options),
    /// Memory of all processes, idle and under load.
    Memory(Options),
    /// The time until all services are ready, without data: on the same engines as `refresh`.
    Start(Options),
    /// Orders per second and their latency, with several sizes of the table: on the same engines as `refresh`.
    Orders(orders::Options),
    /// The time until a revoked token is refused everywhere, the cost of many revocations, and the feed with many readers.
    Revocation(revocation::Options),
    /// All of these, in turn.
    All(Options),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::RouteServer(options) => route_server::run(&options),
        command => run(&command),
    };
    match result {
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
    if let Command::Gateway(options) = command
        && let Some(directory) = &options.serve
    {
        return tokio::select! { served = gateway::serve(options, directory) => served, () = shutdown => Ok(()) };
    }
    let server = Server::from_environment().await?;
    let outcome = tokio::select! {
        outcome = measure(command, server.as_ref()) => outcome,
        () = shutdown => Err("interrupted".into()),
    };
    // All platforms have stopped, so no connection uses the databases.
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
        Command::Revocation(options) => {
            let report = revocation::measure(options).await?;
            print(&report, options.json)?;
            return report.fail_on_errors();
        }
        Command::Gateway(options) => {
            let report = gateway::measure(options).await?;
            print(&report, options.json)?;
            return report.fail_on_errors();
        }
        Command::All(options) => return all(options, server).await,
        Command::Verify(verify::Verify { options, .. }) => (options, verify::measure(options)?),
        Command::Route(route::Route { options, .. }) => (options, route::measure(options).await?),
        Command::Login(login::Login { options, .. }) => (options, login::measure(options).await?),
        Command::Refresh(options) => (options, refresh::measure(options, server).await?),
        Command::ServiceToken(options) => (options, service_token::measure(options).await?),
        Command::Strategies(options) => (options, strategies::measure(options).await?),
        Command::Flood(options) => (options, flood::measure(options).await?),
        Command::Memory(options) => (options, memory::measure(options).await?),
        Command::Start(options) => (options, start::measure(options, server).await?),
        Command::RouteServer(_) => return Err("route-server is not a benchmark".into()),
    };
    print(&options.report(findings), options.json)
}

/// Runs all benchmarks. Reports failures at the end, so that the other results are printed.
async fn all(options: &Options, server: Option<&Server>) -> Result<(), Failure> {
    let results = [
        verify::measure(options),
        route::measure(options).await,
        login::measure(options).await,
        refresh::measure(options, server).await,
        service_token::measure(options).await,
        strategies::measure(options).await,
        flood::measure(options).await,
        memory::measure(options).await,
        start::measure(options, server).await,
    ];
    let (mut findings, mut failures) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(found) => findings.extend(found),
            Err(failure) => failures.push(failure.to_string()),
        }
    }
    let gateway = gateway::measure(&gateway::Options::of(options)).await;
    let gateway = gateway.map_err(|failure| failures.push(failure.to_string())).ok();
    let orders = orders::measure(&orders::Options::of(options), server).await;
    let orders = orders.map_err(|failure| failures.push(failure.to_string())).ok();
    let revocation = revocation::measure(&revocation::Options::of(options)).await;
    let revocation = revocation
        .map_err(|failure| failures.push(failure.to_string()))
        .ok();
    print(
        &FullReport {
            findings: options.report(findings),
            gateway,
            orders,
            revocation,
        },
        options.json,
    )?;
    if failures.is_empty() {
        Ok(())
    } else {
        Err(failures.join("; ").into())
    }
}

/// Prints progress on standard error.
fn say(message: &str) {
    eprintln!("== {message}");
}
