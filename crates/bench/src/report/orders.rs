//! The report of the benchmark `orders`.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::{aligned, grouped};
use crate::load::{Summary, hundredths};

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub processors: usize,
    pub buyers: usize,
    /// The duration of orders at each size.
    pub seconds: u32,
    pub engines: Vec<EngineReport>,
}

#[derive(Debug, Serialize)]
pub(crate) struct EngineReport {
    engine: &'static str,
    /// Durable transactions of one row.
    bare_commits_per_second: f64,
    sizes: Vec<SizeReport>,
    /// The 99th percentile at the last size divided by that at the first.
    p99_ratio: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct SizeReport {
    pub orders_before: u32,
    pub orders_after: u32,
    pub orders: Summary,
    pub orders_per_bare_commit: f64,
    /// `GET /orders` of one buyer.
    pub own_page: Summary,
    /// `GET /orders?status=pending` of an admin.
    pub pending_page: Summary,
    pub cpu_ms_per_order: BTreeMap<String, f64>,
}

impl EngineReport {
    pub(crate) fn new(engine: &'static str, bare_commits_per_second: f64, sizes: Vec<SizeReport>) -> Self {
        let p99 = |size: Option<&SizeReport>| size.map_or(f64::NAN, |size| size.orders.p99_ms);
        let p99_ratio = hundredths(p99(sizes.last()) / p99(sizes.first()));
        Self {
            engine,
            bare_commits_per_second,
            sizes,
            p99_ratio,
        }
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            processors,
            buyers,
            seconds,
            engines,
        } = self;
        writeln!(
            f,
            "POST /orders of one line, {buyers} buyers at once, {seconds} s at each size. Times in ms.\n"
        )?;
        let head = [
            "engine",
            "in table",
            "orders/s",
            "÷ commits/s",
            "p50",
            "p99",
            "max",
            "own page p50",
            "p99",
        ];
        let head = head
            .into_iter()
            .chain(["pending page p50", "p99", "answers"])
            .map(str::to_owned);
        let mut rows = vec![head.collect()];
        for engine in engines {
            rows.extend(engine.sizes.iter().map(|size| size.row(engine.engine)));
        }
        aligned(f, &rows)?;
        for engine in engines {
            write!(f, "\n{engine}")?;
        }
        write!(
            f,
            "\nThe load generator shares this machine's {processors} processors with the platform and the database."
        )
    }
}

impl SizeReport {
    fn row(&self, engine: &str) -> Vec<String> {
        let Self {
            orders,
            own_page,
            pending_page,
            ..
        } = self;
        let answers = orders
            .answers
            .iter()
            .map(|(status, count)| format!("{count} × {status}"));
        let mut row = vec![
            engine.to_owned(),
            grouped(self.orders_before),
            format!("{:.0}", orders.per_second),
            format!("{:.2}", self.orders_per_bare_commit),
        ];
        let times = [orders.p50_ms, orders.p99_ms, orders.max_ms];
        let times = times.into_iter().chain([own_page.p50_ms, own_page.p99_ms]);
        let times = times.chain([pending_page.p50_ms, pending_page.p99_ms]);
        row.extend(times.map(|ms| format!("{ms:.1}")));
        row.push(answers.collect::<Vec<_>>().join(", "));
        row
    }
}

impl Display for EngineReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            engine,
            bare_commits_per_second,
            sizes,
            p99_ratio,
        } = self;
        write!(f, "{engine}: {bare_commits_per_second:.0} commits/s alone")?;
        if let [smallest, .., largest] = sizes.as_slice() {
            let (largest, smallest) = (grouped(largest.orders_before), grouped(smallest.orders_before));
            write!(f, "; p99 with {largest} ÷ p99 with {smallest}: {p99_ratio:.2}")?;
        }
        writeln!(f)?;
        for SizeReport {
            orders_before,
            cpu_ms_per_order,
            ..
        } in sizes
        {
            let cpu = cpu_ms_per_order
                .iter()
                .map(|(program, ms)| format!("{program} {ms:.2}"));
            let cpu = cpu.collect::<Vec<_>>().join(", ");
            writeln!(f, "  CPU of an order with {}: {cpu}", grouped(*orders_before))?;
        }
        Ok(())
    }
}
