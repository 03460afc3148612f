//! Measures the time from the start of the platform, without data, until all services are ready.

use crate::database::Server;
use crate::options::Options;
use crate::platform::Platform;
use crate::report::Finding;
use crate::{Failure, say};

pub(crate) async fn measure(options: &Options, server: Option<&Server>) -> Result<Vec<Finding>, Failure> {
    let engines = [("SQLite", None)]
        .into_iter()
        .chain(server.map(|server| ("PostgreSQL", Some(server))));
    let mut findings = Vec::new();
    for (engine, server) in engines {
        say(&format!("start: {} times on {engine}", options.rounds));
        let mut took = Vec::new();
        for _ in 0..options.rounds {
            let platform = Platform::start(&options.stack.program()?, server).await?;
            took.push(platform.started_in.as_secs_f64());
        }
        findings.push(Finding::new(format!("start: until ready, {engine}"), "s", &took).at_most(1.0));
    }
    Ok(findings)
}
