//! Measures the three values of `AUTH_STRATEGY`: the processor time of all programs per request, and its latency.

use std::time::Duration;

use tokio::sync::Mutex;

use crate::load::Tally;
use crate::options::Options;
use crate::platform::Platform;
use crate::report::Finding;
use crate::users::User;
use crate::wire::{Wire, get};
use crate::{Failure, cpu, say};

const STRATEGIES: [&str; 3] = ["local", "introspect", "gateway"];
const CONNECTIONS: usize = 16;

/// A platform with one of the strategies, and the connections of its clients to the gateway.
struct Subject {
    platform: Platform,
    wires: Vec<Mutex<Wire>>,
    request: String,
    /// Microseconds of all programs per request.
    cpu: Vec<f64>,
    /// Milliseconds.
    latency: Vec<f64>,
}

impl Subject {
    async fn start(options: &Options, strategy: &str) -> Result<Self, Failure> {
        let variables = [("AUTH_STRATEGY", strategy), ("RATE_LIMIT", "0")];
        let platform = Platform::start_with(&options.stack.program()?, None, &variables).await?;
        let user = User::register(&platform, 1).await?.pop().ok_or("no user")?;
        let port = platform.port("gateway")?;
        let pair = user.log_in(&mut Wire::open(port).await?).await?;
        let mut wires = Vec::new();
        for _ in 0..CONNECTIONS {
            wires.push(Mutex::new(Wire::open(port).await?));
        }
        Ok(Self {
            platform,
            wires,
            request: get("/api/orders", &pair.access_token),
            cpu: Vec::new(),
            latency: Vec::new(),
        })
    }

    async fn measure(&mut self, duration: Duration) -> Result<(), Failure> {
        let stack = self.platform.pid().ok_or("the platform has stopped")?;
        let send = async |wire: &Mutex<Wire>| Ok(wire.lock().await.send(&self.request).await?.status);
        let (mut tally, before) = (Tally::default(), cpu::used_by_family(stack));
        tally.add(&self.wires, duration, send).await?;
        tally.expect_only(200)?;
        let used = cpu::used_by_family(stack).saturating_sub(before);
        self.cpu.push(used.as_secs_f64() * 1e6 / f64::from(tally.count()));
        self.latency.push(tally.summary().p50_ms);
        Ok(())
    }
}

pub(crate) async fn measure(options: &Options) -> Result<Vec<Finding>, Failure> {
    say("strategies: users list their orders through the gateway");
    let mut subjects = Vec::new();
    for strategy in STRATEGIES {
        let mut subject = Subject::start(options, strategy).await?;
        subject.measure(Duration::from_secs(1)).await?;
        subject.cpu.clear();
        subject.latency.clear();
        subjects.push(subject);
    }
    for _ in 0..options.rounds {
        for subject in &mut subjects {
            subject.measure(options.each()).await?;
        }
    }

    let mut findings = Vec::new();
    let local = subjects
        .first()
        .map(|subject| subject.cpu.clone())
        .unwrap_or_default();
    for (strategy, subject) in STRATEGIES.into_iter().zip(&subjects) {
        let named = |what: &str| format!("strategies: {strategy}: {what}");
        findings.push(Finding::new(named("CPU of all programs"), "us", &subject.cpu));
        findings.push(Finding::ratio(named("CPU / local"), &subject.cpu, &local));
        findings.push(Finding::new(named("median latency"), "ms", &subject.latency));
    }
    Ok(findings)
}
