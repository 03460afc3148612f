//! Measures the processor time per request of a protected route, compared with a public one.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use clap::Args;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use crate::cores::PinnedToCore;
use crate::load::Tally;
use crate::options::Options;
use crate::report::Finding;
use crate::route_server::Algorithm::{EdDsa, Hs256};
use crate::route_server::{Algorithm, OPEN, PROTECTED};
use crate::wire::{Wire, get};
use crate::{Failure, cores, cpu, say};

const CONNECTIONS: usize = 64;

#[derive(Debug, Args)]
pub(crate) struct Route {
    #[command(flatten)]
    pub options: Options,
    /// Measure nothing, and serve until interrupted, for another load generator: write tokens for a day into this directory, and
    /// print a line of name, URL, file of tokens (`-` for none) and process id for each route
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "json")]
    pub serve: Option<PathBuf>,
}

pub(crate) async fn measure(options: &Options) -> Result<Vec<Finding>, Failure> {
    let directory = tempfile::tempdir()?;
    let [server_core, load_core] = cores::pair()?;
    let mut services = Vec::new();
    for algorithm in [EdDsa, Hs256] {
        services.push(Service::start(algorithm, directory.path(), server_core).await?);
    }
    let _here = PinnedToCore::new(load_core)?;
    let mut findings = Vec::new();
    for service in &services {
        let algorithm = service.algorithm.name();
        say(&format!(
            "route: {algorithm}, server on core {server_core}, load on core {load_core}"
        ));
        let [open, protected] = [service.load(OPEN).await?, service.load(PROTECTED).await?];
        let (mut open_us, mut protected_us, mut busy) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..options.rounds {
            let mut measured = [(&open, &mut open_us), (&protected, &mut protected_us)];
            if round % 2 == 1 {
                measured.reverse();
            }
            for (load, each_us) in measured {
                let cost = load.measure(service.pid, options.each()).await?;
                each_us.push(cost.each_us);
                busy.push(cost.busy);
            }
        }
        findings.extend([
            Finding::new(
                format!("route: CPU of a request, open ({algorithm})"),
                "µs",
                &open_us,
            ),
            Finding::new(
                format!("route: CPU of a request, protected ({algorithm})"),
                "µs",
                &protected_us,
            ),
            Finding::ratio(
                format!("route: CPU protected ÷ open ({algorithm})"),
                &protected_us,
                &open_us,
            )
            .at_most(1.05),
            Finding::new(
                format!("route: how busy the service's core was ({algorithm})"),
                "%",
                &busy,
            ),
        ]);
    }
    Ok(findings)
}

/// Serves until cancelled.
pub(crate) async fn serve(directory: &Path) -> Result<(), Failure> {
    fs::create_dir_all(directory)?;
    let directory = fs::canonicalize(directory)?;
    let [core, _] = cores::pair()?;
    let mut services = Vec::new();
    for algorithm in [EdDsa, Hs256] {
        let service = Service::start(algorithm, &directory, core).await?;
        let Service {
            port, pid, tokens, ..
        } = &service;
        let (name, tokens) = (algorithm.name(), tokens.display());
        println!("ours {name} open,http://127.0.0.1:{port}{OPEN},-,{pid}");
        println!("ours {name},http://127.0.0.1:{port}{PROTECTED},{tokens},{pid}");
        services.push(service);
    }
    std::future::pending().await
}

/// A service in its own process. Dropping this stops it.
struct Service {
    algorithm: Algorithm,
    tokens: PathBuf,
    port: u16,
    pid: u32,
    _process: Child,
}

impl Service {
    async fn start(algorithm: Algorithm, directory: &Path, core: usize) -> Result<Self, Failure> {
        let tokens = directory.join(format!("{}.tokens", algorithm.name()));
        let mut command = Command::new(std::env::current_exe()?);
        command.args([
            "route-server",
            "--core",
            &core.to_string(),
            "--algorithm",
            algorithm.name(),
        ]);
        command.arg("--tokens").arg(&tokens);
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let pid = process.id().ok_or("the service has stopped")?;
        let mut said = BufReader::new(
            process
                .stdout
                .take()
                .ok_or("the service has no standard output")?,
        )
        .lines();
        let port = said
            .next_line()
            .await?
            .ok_or("the service did not start")?
            .parse()?;
        Ok(Self {
            algorithm,
            tokens,
            port,
            pid,
            _process: process,
        })
    }

    /// The load for a route. All tokens have been sent once.
    async fn load(&self, path: &str) -> Result<Load, Failure> {
        let tokens = fs::read_to_string(&self.tokens)?;
        let requests: Vec<_> = tokens.lines().map(|token| get(path, token)).collect();
        let mut wires = Vec::new();
        for _ in 0..CONNECTIONS {
            wires.push(Mutex::new(Wire::open(self.port).await?));
        }
        if let Some(wire) = wires.first() {
            for request in &requests {
                wire.lock().await.send(request).await?;
            }
        }
        Ok(Load {
            wires,
            requests,
            next: Cell::new(0),
        })
    }
}

/// Connections that request one path, with all tokens in turn.
struct Load {
    wires: Vec<Mutex<Wire>>,
    requests: Vec<String>,
    next: Cell<usize>,
}

/// The cost at the service.
struct Cost {
    /// Processor time per request, in microseconds.
    each_us: f64,
    /// The use of the core in percent. If it is not near 100, the load is the limit, and the service pays for waking up.
    busy: f64,
}

impl Load {
    async fn measure(&self, pid: u32, duration: Duration) -> Result<Cost, Failure> {
        let (mut tally, before) = (Tally::default(), cpu::used_by(pid)?);
        tally
            .add(&self.wires, duration, async |wire| {
                Ok(wire.lock().await.send(self.next()).await?.status)
            })
            .await?;
        let used = cpu::used_by(pid)?.saturating_sub(before).as_secs_f64();
        tally.expect_only(200)?;
        let each_us = used * 1e6 / f64::from(tally.count());
        Ok(Cost {
            each_us,
            busy: each_us * tally.per_second() / 1e4,
        })
    }

    fn next(&self) -> &str {
        let next = self.next.get();
        self.next.set((next + 1) % self.requests.len());
        self.requests.get(next).map_or("", String::as_str)
    }
}
