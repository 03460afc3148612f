//! Measures the gateway beside `HAProxy` and nginx: the processor time per request, the latency and the memory, with small requests,
//! bodies of 64 KiB in each direction, and TLS.

mod backend;
mod certificate;
mod check;
mod contender;
mod load;
mod requests;
mod tokens;

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bench::tokens::VerificationKey;
use clap::Args;

use self::backend::{Backend, SMALL};
use self::certificate::Certificate;
use self::contender::Kind::{EdDsa, HaProxy, Hs256, Nginx};
use self::contender::{Contender, Kind, Programs, Setup};
use self::load::{Awake, Cost, Load};
use self::requests::{PREFIX, Requests, Shape};
use self::tokens::Users;
use crate::cores::PinnedToCore;
use crate::installed::Installed;
use crate::options::{self, Stack};
use crate::report::{Finding, GatewayReport, GatewayRow, Spread};
use crate::{Failure, cores, say};

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    stack: Stack,
    /// The number of rounds. The gateways alternate within each round
    #[arg(long, value_name = "COUNT", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// The duration of each measurement in each round
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20))]
    secs: u32,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Measure nothing, and run our gateway until interrupted, for another load generator: write tokens for a day into this directory,
    /// and print a line of name, URL, file of tokens and process id for each algorithm
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "json")]
    pub serve: Option<PathBuf>,
    /// With --serve: the port to which the gateway forwards
    #[arg(long, value_name = "PORT", default_value_t = 18_090, requires = "serve")]
    backend_port: u16,
}

impl Options {
    /// With the number of rounds of the other benchmarks.
    pub(crate) fn of(options: &options::Options) -> Self {
        Self {
            stack: options.stack.clone(),
            rounds: options.rounds,
            secs: 1,
            json: options.json,
            serve: None,
            backend_port: 0,
        }
    }
}

/// One comparison: the same requests to each of these gateways.
struct Comparison {
    name: &'static str,
    shape: Shape,
    is_tls: bool,
    has_goal: bool,
    kinds: &'static [Kind],
}

/// The costs of a gateway in each round.
type Costs = (Kind, Vec<Cost>);

/// A cached token costs the same with both algorithms, so one of ours is enough where the token is not the subject.
const COMPARISONS: [Comparison; 4] = [
    Comparison {
        name: "GET, small",
        shape: Shape::Small,
        is_tls: false,
        has_goal: true,
        kinds: &[EdDsa, Hs256, HaProxy, Nginx],
    },
    Comparison {
        name: "POST, 64 KiB",
        shape: Shape::Upload,
        is_tls: false,
        has_goal: false,
        kinds: &[EdDsa, HaProxy, Nginx],
    },
    Comparison {
        name: "GET, 64 KiB",
        shape: Shape::Download,
        is_tls: false,
        has_goal: false,
        kinds: &[EdDsa, HaProxy, Nginx],
    },
    Comparison {
        name: "GET, small, TLS",
        shape: Shape::Small,
        is_tls: true,
        has_goal: false,
        kinds: &[EdDsa, HaProxy, Nginx],
    },
];

pub(crate) async fn measure(options: &Options) -> Result<GatewayReport, Failure> {
    let directory = tempfile::tempdir()?;
    let [core, load_core] = cores::pair()?;
    // Before this thread is pinned, which leaves it one.
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let _here = PinnedToCore::new(load_core)?;
    let users = Users::create()?;
    let backend = Backend::start(key_set(&users)?).await?;
    let programs = programs(options)?;
    for line in programs.describe() {
        say(&format!("gateway: {line}"));
    }
    let certificate = Certificate::create(directory.path())?;
    let setup = Setup {
        directory: directory.path(),
        programs: &programs,
        users: &users,
        core,
        backend: backend.port,
        keys: backend.port,
    };
    let (mut rows, mut goals) = (Vec::new(), Vec::new());
    for comparison in &COMPARISONS {
        say(&format!(
            "gateway: {}, gateways on core {core}, load and service on core {load_core}",
            comparison.name
        ));
        let results = compare(options, comparison, &setup, &certificate).await?;
        rows.extend(table_rows(comparison.name, &results));
        if comparison.has_goal {
            goals.extend(goals_of(&results));
        }
    }
    Ok(GatewayReport {
        processors,
        rounds: options.rounds,
        seconds: options.secs,
        programs: programs.describe(),
        rows,
        goals,
    })
}

/// Starts the gateways, checks them, and measures them in turn, forwards and backwards.
async fn compare(
    options: &Options,
    comparison: &Comparison,
    setup: &Setup<'_>,
    certificate: &Certificate,
) -> Result<Vec<Costs>, Failure> {
    let tls = comparison.is_tls.then_some(certificate);
    let mut contenders = Vec::new();
    for kind in comparison.kinds {
        contenders.extend(Contender::start(*kind, setup, tls).await?);
    }
    let of_kind = |kind| match kind {
        EdDsa => &setup.users.eddsa.tokens,
        Hs256 | HaProxy | Nginx => &setup.users.hs256.tokens,
    };
    let requests: Vec<_> = contenders
        .iter()
        .map(|contender| Requests::new(comparison.shape, of_kind(contender.kind)))
        .collect();
    let mut measured = Vec::new();
    for (contender, requests) in contenders.iter().zip(&requests) {
        let load = Load::new(contender, requests, tls.map(|tls| &tls.connector));
        if let (Some(token), Some(id)) = (of_kind(contender.kind).first(), setup.users.ids.first()) {
            check::check(&load, token, id).await?;
        }
        load.prime().await?;
        measured.push((load, Vec::new()));
    }
    // A wake-up is a small part of the cost of 64 KiB, whose cost varies more with a load that never sleeps.
    let _awake = (comparison.shape == Shape::Small).then(Awake::start);
    for round in 0..options.rounds {
        let mut order: Vec<_> = measured.iter_mut().collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for (load, costs) in order {
            costs.push(load.measure(Duration::from_secs(options.secs.into())).await?);
        }
    }
    let costs = measured
        .into_iter()
        .map(|(load, costs)| (load.contender.kind, costs));
    Ok(costs.collect())
}

fn table_rows(name: &str, results: &[Costs]) -> Vec<GatewayRow> {
    let (haproxy, nginx) = (processor_time(results, HaProxy), processor_time(results, Nginx));
    let row = |(kind, costs): &Costs| {
        let each_us = series(costs, |cost| cost.each_us);
        let spread = |value: fn(&Cost) -> f64| Spread::of(&series(costs, value));
        let ratio = |other: &Option<Vec<f64>>| {
            let other = other.as_ref().filter(|_| kind.is_ours())?;
            Some(Spread::of_ratios(&each_us, other))
        };
        GatewayRow {
            request: name.to_owned(),
            gateway: kind.name(),
            cpu_us: Spread::of(&each_us),
            p99_ms: spread(|cost| cost.p99_ms),
            per_second: spread(|cost| cost.per_second),
            busy_percent: spread(|cost| cost.busy),
            resident_mb: spread(|cost| cost.resident),
            errors: costs.iter().map(|cost| cost.errors).sum(),
            cpu_to_haproxy: ratio(&haproxy),
            cpu_to_nginx: ratio(&nginx),
        }
    };
    results.iter().map(row).collect()
}

/// Empty if `HAProxy` is not installed.
fn goals_of(results: &[Costs]) -> Vec<Finding> {
    let Some(haproxy) = processor_time(results, HaProxy) else {
        return Vec::new();
    };
    let ours = results.iter().filter(|(kind, _)| kind.is_ours());
    ours.map(|(kind, costs)| {
        let what = format!("gateway: CPU of a request ÷ HAProxy's ({})", kind.name());
        Finding::ratio(what, &series(costs, |cost| cost.each_us), &haproxy).at_most(0.6)
    })
    .collect()
}

/// The processor time per request in each round.
fn processor_time(results: &[Costs], wanted: Kind) -> Option<Vec<f64>> {
    let (_, costs) = results.iter().find(|(kind, _)| *kind == wanted)?;
    Some(series(costs, |cost| cost.each_us))
}

fn series(costs: &[Cost], value: impl Fn(&Cost) -> f64) -> Vec<f64> {
    costs.iter().map(value).collect()
}

fn programs(options: &Options) -> Result<Programs, Failure> {
    Ok(Programs {
        stack: options.stack.program()?,
        haproxy: Installed::find("haproxy"),
        nginx: Installed::find("nginx"),
    })
}

fn key_set(users: &Users) -> Result<&str, Failure> {
    match users.eddsa.signer.verification_key() {
        VerificationKey::KeySet(keys) => Ok(keys),
        VerificationKey::Secret(_) => Err("Ed25519 needs a key set".into()),
    }
}

/// Runs our gateway until cancelled.
pub(crate) async fn serve(options: &Options, directory: &Path) -> Result<(), Failure> {
    fs::create_dir_all(directory)?;
    let directory = fs::canonicalize(directory)?;
    let files = tempfile::tempdir()?;
    let [core, _] = cores::pair()?;
    let users = Users::create()?;
    let keys = Backend::start(key_set(&users)?).await?;
    let programs = programs(options)?;
    let setup = Setup {
        directory: files.path(),
        programs: &programs,
        users: &users,
        core,
        backend: options.backend_port,
        keys: keys.port,
    };
    let mut running = Vec::new();
    for (kind, name, tokens) in [(EdDsa, "EdDSA", &users.eddsa), (Hs256, "HS256", &users.hs256)] {
        let file = directory.join(format!("{name}.tokens"));
        fs::write(&file, tokens.tokens.join("\n"))?;
        let Some(contender) = Contender::start(kind, &setup, None).await? else {
            continue;
        };
        let (port, pid) = (contender.port, contender.process.pid);
        println!(
            "ours {name},http://127.0.0.1:{port}{PREFIX}{SMALL},{},{pid}",
            file.display()
        );
        running.push(contender);
    }
    std::future::pending().await
}
