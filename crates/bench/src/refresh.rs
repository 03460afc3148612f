//! Measures refreshes per second, compared with commits of the same engine alone.

use std::time::Duration;

use tokio::sync::Mutex;

use crate::commits::Commits;
use crate::database::Server;
use crate::load::Tally;
use crate::options::Options;
use crate::platform::Platform;
use crate::report::Finding;
use crate::users::{Pair, User};
use crate::wire::Wire;
use crate::{Failure, cpu, say};

const SESSIONS: usize = 16;

pub(crate) async fn measure(options: &Options, server: Option<&Server>) -> Result<Vec<Finding>, Failure> {
    let mut findings = measure_engine(options, "SQLite", None).await?;
    if server.is_some() {
        findings.extend(measure_engine(options, "PostgreSQL", server).await?);
    }
    Ok(findings)
}

async fn measure_engine(
    options: &Options,
    engine: &str,
    server: Option<&Server>,
) -> Result<Vec<Finding>, Failure> {
    say(&format!("refresh: {SESSIONS} sessions on {engine}"));
    let platform = Platform::start(&options.stack.program()?, server).await?;
    let mut sessions = Vec::new();
    for user in User::register(&platform, SESSIONS).await? {
        sessions.push(Session::open(&platform, &user).await?);
    }
    Tally::default()
        .add(&sessions, Duration::from_secs(1), Session::refresh)
        .await?;
    let stack = platform.pid().ok_or("the platform has stopped")?;
    let mut bare = Commits::open(server).await?;
    let (mut refreshes, mut commits, mut each_us) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        commits.push(bare.measure(options.each()).await?);
        let (mut tally, before) = (Tally::default(), cpu::used_by_service(stack, "user-service")?);
        tally.add(&sessions, options.each(), Session::refresh).await?;
        let used = cpu::used_by_service(stack, "user-service")?.saturating_sub(before);
        tally.expect_only(200)?;
        refreshes.push(tally.per_second());
        each_us.push(used.as_secs_f64() * 1e6 / f64::from(tally.count()));
    }
    Ok(vec![
        Finding::new(format!("refresh: refreshes, {engine}"), "/s", &refreshes),
        Finding::new(
            format!("refresh: user-service's CPU for one, {engine}"),
            "µs",
            &each_us,
        ),
        Finding::new(format!("refresh: bare commits, {engine}"), "/s", &commits),
        Finding::ratio(
            format!("refresh: refreshes ÷ bare commits, {engine}"),
            &refreshes,
            &commits,
        )
        .at_least(0.7),
    ])
}

/// A session, refreshed with its newest token only.
struct Session(Mutex<(Wire, Pair)>);

impl Session {
    async fn open(platform: &Platform, user: &User) -> Result<Self, Failure> {
        let mut wire = Wire::open(platform.port("user-service")?).await?;
        let pair = user.log_in(&mut wire).await?;
        Ok(Self(Mutex::new((wire, pair))))
    }

    async fn refresh(&self) -> Result<u16, Failure> {
        let (wire, pair) = &mut *self.0.lock().await;
        let answer = wire.send(&pair.refresh()).await?;
        if answer.status == 200 {
            *pair = Pair::read(answer.body)?;
        }
        Ok(answer.status)
    }
}
