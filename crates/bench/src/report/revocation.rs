//! The report of the benchmark `revocation`.

use std::fmt::{self, Display, Formatter};
use std::num::NonZero;

use serde::Serialize;

use super::findings::Finding;
use super::spread::{Spread, figure};
use super::{aligned, grouped};
use crate::Failure;
use crate::load::Percentiles;

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub processors: usize,
    pub sessions: u32,
    pub rounds: u32,
    /// The errors of parts that failed.
    pub failures: Vec<String>,
    /// The reasons for which something was not measured.
    pub not_measured: Vec<String>,
    pub delays: Vec<DelayRow>,
    pub growth: Vec<GrowthRow>,
    pub figures: Vec<Finding>,
}

/// The time from the response to a logout until something has happened.
#[derive(Debug, Serialize)]
pub(crate) struct DelayRow {
    pub transport: &'static str,
    pub until: String,
    #[serde(flatten)]
    pub time: Percentiles,
}

/// The costs of this number of revocations.
#[derive(Debug, Serialize)]
pub(crate) struct GrowthRow {
    pub revocations: u32,
    pub cached_ns: Spread,
    pub cached_to_none: Spread,
    pub first_seen_ns: Spread,
    pub first_seen_to_none: Spread,
    pub replace_ms: Spread,
    #[serde(flatten)]
    pub snapshot: Option<SnapshotCosts>,
}

/// The costs of this number of revocations at a platform.
#[derive(Debug, Serialize)]
pub(crate) struct SnapshotCosts {
    pub snapshot_ms: Spread,
    pub product_service_mb: f64,
    pub user_service_mb: f64,
}

impl Report {
    pub(crate) fn new(sessions: u32, rounds: u32) -> Self {
        Self {
            processors: std::thread::available_parallelism().map_or(1, NonZero::get),
            sessions,
            rounds,
            failures: Vec::new(),
            not_measured: Vec::new(),
            delays: Vec::new(),
            growth: Vec::new(),
            figures: Vec::new(),
        }
    }

    /// The measurements of a part. If it has failed, keeps its error.
    pub(crate) fn result_of<T>(&mut self, part: Result<T, Failure>) -> Option<T> {
        part.map_err(|failure| self.failures.push(failure.to_string()))
            .ok()
    }

    /// Fails if a part has failed.
    pub(crate) fn fail_on_errors(&self) -> Result<(), Failure> {
        if self.failures.is_empty() {
            return Ok(());
        }
        Err(self.failures.join("; ").into())
    }
}

impl DelayRow {
    fn cells(&self) -> Vec<String> {
        let Percentiles { p50, p99, max } = self.time;
        let times = [p50, p99, max].map(|ms| format!("{ms:.2}"));
        let name = format!("{}: {}", self.transport, self.until);
        std::iter::once(name).chain(times).collect()
    }
}

impl GrowthRow {
    fn cells(&self) -> Vec<String> {
        let of_snapshot =
            |value: &dyn Fn(&SnapshotCosts) -> String| self.snapshot.as_ref().map(value).unwrap_or_default();
        vec![
            grouped(self.revocations),
            self.cached_ns.with_range(),
            figure(self.cached_to_none.median),
            self.first_seen_ns.with_range(),
            figure(self.first_seen_to_none.median),
            self.replace_ms.with_range(),
            of_snapshot(&|costs| costs.snapshot_ms.with_range()),
            of_snapshot(&|costs| figure(costs.product_service_mb)),
            of_snapshot(&|costs| figure(costs.user_service_mb)),
        ]
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for reason in &self.not_measured {
            writeln!(f, "{reason}\n")?;
        }
        let delays = self.delays.iter().map(DelayRow::cells);
        table(
            f,
            &[
                "from the response to a logout until",
                "p50 ms",
                "p99 ms",
                "max ms",
            ],
            delays,
        )?;
        let head = [
            "revocations",
            "cached ns",
            "÷ none",
            "first seen ns",
            "÷ none",
            "replace ms",
            "snapshot ms",
        ];
        let head: Vec<_> = head
            .into_iter()
            .chain(["product-service MB", "user-service MB"])
            .collect();
        table(f, &head, self.growth.iter().map(GrowthRow::cells))?;
        let figures = std::iter::once(Finding::head()).chain(self.figures.iter().map(Finding::row));
        aligned(f, &figures.collect::<Vec<_>>())?;
        write!(
            f,
            "\n{} sessions with each transport; {} rounds of verifications; the median (lowest–highest). Programs and load share {} \
             processors.",
            grouped(self.sessions),
            self.rounds,
            self.processors
        )
    }
}

fn table(f: &mut Formatter<'_>, head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> fmt::Result {
    let head = head.iter().map(ToString::to_string).collect();
    aligned(f, &std::iter::once(head).chain(rows).collect::<Vec<_>>())?;
    writeln!(f)
}
