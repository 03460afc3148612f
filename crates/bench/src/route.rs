//! Measures the processor time per request of a protected route, compared with an open route and with actix-web alone.

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
use crate::route_server::Variant::{ActixWeb, EdDsa, Hs256};
use crate::route_server::{OPEN, PROTECTED, Variant};
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
    let start = async |variant| Service::start(variant, directory.path(), server_core).await;
    let plain = start(ActixWeb).await?;
    let services = [start(EdDsa).await?, start(Hs256).await?];

    let _here = PinnedToCore::new(load_core)?;
    let plain = plain.load(&OPEN).await?;
    let mut findings = Vec::new();
    for service in &services {
        let name = service.variant.name();
        say(&format!(
            "route: {name}, server on core {server_core}, load on core {load_core}"
        ));
        let loads = [
            &plain,
            &service.load(&OPEN).await?,
            &service.load(&[PROTECTED]).await?,
        ];
        let (costs, busy) = measure_in_turn(options, loads).await?;
        findings.extend(compare(name, &costs));
        let what = format!("route: how busy the measured process's core was ({name})");
        findings.push(Finding::new(what, "%", &busy));
    }
    Ok(findings)
}

/// The processor time per request under each load in each round, in microseconds, and how busy the core was in all measurements.
async fn measure_in_turn<const N: usize>(
    options: &Options,
    loads: [&Load; N],
) -> Result<([Vec<f64>; N], Vec<f64>), Failure> {
    let mut costs = [const { Vec::new() }; N];
    let mut busy = Vec::new();
    for round in 0..options.rounds {
        let mut measured: Vec<_> = loads.iter().zip(&mut costs).collect();
        if round % 2 == 1 {
            measured.reverse();
        }
        for (load, costs) in measured {
            let cost = load.measure(options.each()).await?;
            costs.push(cost.each_us);
            busy.push(cost.busy);
        }
    }
    Ok((costs, busy))
}

fn compare(name: &str, [plain, open, protected]: &[Vec<f64>; 3]) -> [Finding; 5] {
    let cost = |what, of_rounds: &[f64]| {
        Finding::new(
            format!("route: CPU of a request, {what} ({name})"),
            "µs",
            of_rounds,
        )
    };
    let added: Vec<_> = open.iter().zip(plain).map(|(open, plain)| open - plain).collect();
    [
        cost("actix-web alone", plain),
        cost("open", open),
        cost("protected", protected),
        Finding::new(
            format!("route: CPU open - actix-web alone ({name})"),
            "µs",
            &added,
        )
        .at_most(2.0),
        Finding::ratio(format!("route: CPU protected ÷ open ({name})"), protected, open).at_most(1.05),
    ]
}

/// Serves until cancelled.
pub(crate) async fn serve(directory: &Path) -> Result<(), Failure> {
    fs::create_dir_all(directory)?;
    let directory = fs::canonicalize(directory)?;
    let [core, _] = cores::pair()?;
    let mut services = Vec::new();
    for variant in [EdDsa, Hs256] {
        let service = Service::start(variant, &directory, core).await?;
        let Service {
            port, pid, tokens, ..
        } = &service;
        let (name, tokens) = (variant.name(), tokens.display());
        let [open, _] = OPEN;
        println!("ours {name} open,http://127.0.0.1:{port}{open},-,{pid}");
        println!("ours {name},http://127.0.0.1:{port}{PROTECTED},{tokens},{pid}");
        services.push(service);
    }
    std::future::pending().await
}

/// A service in its own process. Dropping this stops it.
struct Service {
    variant: Variant,
    tokens: PathBuf,
    port: u16,
    pid: u32,
    _process: Child,
}

impl Service {
    async fn start(variant: Variant, directory: &Path, core: usize) -> Result<Self, Failure> {
        let tokens = directory.join(format!("{}.tokens", variant.name()));
        let mut command = Command::new(std::env::current_exe()?);
        command.args([
            "route-server",
            "--core",
            &core.to_string(),
            "--variant",
            variant.name(),
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
            variant,
            tokens,
            port,
            pid,
            _process: process,
        })
    }

    /// The load for paths, which are requested in turn. All tokens have been sent once.
    async fn load(&self, paths: &[&str]) -> Result<Load, Failure> {
        let tokens = fs::read_to_string(&self.tokens)?;
        let requests: Vec<_> = paths
            .iter()
            .cycle()
            .zip(tokens.lines())
            .map(|(path, token)| get(path, token))
            .collect();
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
            pid: self.pid,
            wires,
            requests,
            next: Cell::new(0),
        })
    }
}

/// Connections that request paths, with all tokens in turn.
struct Load {
    pid: u32,
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
    async fn measure(&self, duration: Duration) -> Result<Cost, Failure> {
        let (mut tally, before) = (Tally::default(), cpu::used_by(self.pid)?);
        tally
            .add(&self.wires, duration, async |wire| {
                Ok(wire.lock().await.send(self.next()).await?.status)
            })
            .await?;
        let used = cpu::used_by(self.pid)?.saturating_sub(before).as_secs_f64();
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
