//! The report of the benchmark `gateway`.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::aligned;
use super::findings::Finding;
use super::spread::{Spread, figure};
use crate::Failure;

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub processors: usize,
    pub rounds: u32,
    /// The duration of each measurement in each round.
    pub seconds: u32,
    /// The versions of the other gateways, and which of them are missing.
    pub programs: Vec<String>,
    pub rows: Vec<Row>,
    pub goals: Vec<Finding>,
}

/// One gateway with one kind of request.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub request: String,
    pub gateway: &'static str,
    pub cpu_us: Spread,
    pub p99_ms: Spread,
    pub per_second: Spread,
    pub busy_percent: Spread,
    pub resident_mb: Spread,
    pub errors: u32,
    pub cpu_to_haproxy: Option<Spread>,
    pub cpu_to_nginx: Option<Spread>,
}

impl Report {
    /// Fails if there were errors, because an error has a different cost.
    pub(crate) fn fail_on_errors(&self) -> Result<(), Failure> {
        match self.rows.iter().map(|row| row.errors).sum::<u32>() {
            0 => Ok(()),
            errors => Err(format!("{errors} requests failed, so the figures mean little").into()),
        }
    }
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let ratio = |spread: &Option<Spread>| spread.as_ref().map(Spread::with_range).unwrap_or_default();
        vec![
            self.request.clone(),
            self.gateway.to_owned(),
            self.cpu_us.with_range(),
            ratio(&self.cpu_to_haproxy),
            ratio(&self.cpu_to_nginx),
            figure(self.p99_ms.median),
            figure(self.per_second.median),
            format!("{:.0}", self.busy_percent.median),
            figure(self.resident_mb.median),
            self.errors.to_string(),
        ]
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let head = ["request", "gateway", "CPU µs", "÷ HAProxy", "÷ nginx"];
        let head = head
            .into_iter()
            .chain(["p99 ms", "per s", "busy %", "RSS MB", "errors"]);
        let mut rows = vec![head.map(str::to_owned).collect()];
        rows.extend(self.rows.iter().map(Row::cells));
        aligned(f, &rows)?;
        if !self.goals.is_empty() {
            writeln!(f)?;
            let goals = self.goals.iter().map(Finding::row);
            aligned(
                f,
                &std::iter::once(Finding::head()).chain(goals).collect::<Vec<_>>(),
            )?;
        }
        writeln!(
            f,
            "\nOf {} rounds of {} s for each row: the median (lowest–highest). A ratio is that of one round. HAProxy does less than \
             our gateway, and nginx checks nothing. {} processors: one for the gateway, one for the load and the service.",
            self.rounds, self.seconds, self.processors
        )?;
        write!(f, "{}", self.programs.join("\n"))
    }
}
