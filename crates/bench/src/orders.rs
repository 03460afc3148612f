//! Measures orders per second, their latency and their cost, with few and with many orders in the table.

use std::num::NonZero;
use std::time::Duration;

use clap::Args;

use crate::commits::Commits;
use crate::cpu::{self, Used};
use crate::database::{Connection, Server};
use crate::load::{Tally, hundredths};
use crate::options::{self, Stack};
use crate::platform::Platform;
use crate::report::{EngineReport, OrdersReport, SizeReport};
use crate::seed::seed;
use crate::shop::{BUYERS, Shop};
use crate::{Failure, say};

/// The sizes alternate in rounds, so that other activity on the machine affects all of them.
const ROUND_SECONDS: u32 = 2;
/// In each round, the duration for the engine's commits and for each list.
const SIDE_MEASUREMENT: Duration = Duration::from_millis(600);
const WARM_UP: Duration = Duration::from_secs(1);
const SIZES: [u32; 2] = [1_000, 1_000_000];

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    stack: Stack,
    /// The total duration of orders at each size of the table
    #[arg(long, alias = "secs", value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=600))]
    seconds: u32,
    /// The numbers of orders that the table has at first
    #[arg(
        long, value_name = "COUNT,…", value_delimiter = ',', default_values_t = SIZES,
        value_parser = clap::value_parser!(u32).range(1_000..=10_000_000),
    )]
    sizes: Vec<u32>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

impl Options {
    /// With the total duration of the other benchmarks.
    pub(crate) fn of(options: &options::Options) -> Self {
        let seconds = (options.rounds * options.secs).max(ROUND_SECONDS);
        Self {
            stack: options.stack.clone(),
            seconds,
            sizes: SIZES.into(),
            json: options.json,
        }
    }

    fn rounds(&self) -> u32 {
        self.seconds / ROUND_SECONDS
    }
}

/// Measures on SQLite, then on the server.
pub(crate) async fn measure(options: &Options, server: Option<&Server>) -> Result<OrdersReport, Failure> {
    let mut engines = vec![measure_engine(options, None).await?];
    if server.is_some() {
        engines.push(measure_engine(options, server).await?);
    }
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let seconds = options.rounds() * ROUND_SECONDS;
    Ok(OrdersReport {
        processors,
        buyers: BUYERS,
        seconds,
        engines,
    })
}

async fn measure_engine(options: &Options, server: Option<&Server>) -> Result<EngineReport, Failure> {
    let engine = if server.is_some() { "PostgreSQL" } else { "SQLite" };
    let mut commits = Commits::open(server).await?;
    let mut tables = Vec::new();
    for &size in &options.sizes {
        say(&format!("{engine}: a platform with {size} orders"));
        tables.push(Table::open(options, server, size).await?);
    }
    say(&format!("{engine}: {} rounds", options.rounds()));
    for _ in 0..options.rounds() {
        commits.measure(SIDE_MEASUREMENT).await?;
        for table in &mut tables {
            table.measure(server).await?;
        }
        // Rotate, so that no size always follows the commits.
        tables.rotate_left(1);
    }
    tables.sort_by_key(|table| table.size);
    let mut sizes = Vec::new();
    for table in tables {
        sizes.push(table.report(commits.per_second()).await?);
    }
    Ok(EngineReport::new(engine, commits.per_second(), sizes))
}

/// A platform whose table had this number of orders at first, and its measurements so far.
struct Table {
    size: u32,
    platform: Platform,
    shop: Shop,
    orders: Tally,
    own: Tally,
    pending: Tally,
    used: Used,
}

impl Table {
    async fn open(options: &Options, server: Option<&Server>, size: u32) -> Result<Self, Failure> {
        let platform = Platform::start(&options.stack.program()?, server).await?;
        let shop = Shop::open(&platform).await?;
        let databases = [
            platform.database("order-service")?,
            platform.database("inventory-service")?,
        ];
        seed(databases, &shop.products, size).await?;
        Tally::default()
            .add(&shop.buyers, WARM_UP, async |buyer| shop.order(buyer).await)
            .await?;
        let [orders, own, pending] = [(); 3].map(|()| Tally::default());
        Ok(Self {
            size,
            platform,
            shop,
            orders,
            own,
            pending,
            used: Used::new(),
        })
    }

    /// All buyers place orders concurrently; then single clients read lists.
    async fn measure(&mut self, server: Option<&Server>) -> Result<(), Failure> {
        let Self { shop, platform, .. } = self;
        let stack = platform.pid().ok_or("the platform has stopped")?;
        let postgres = server.and_then(|server| server.process);
        let round = Duration::from_secs(ROUND_SECONDS.into());
        let before = cpu::used(stack, postgres);
        self.orders
            .add(&shop.buyers, round, async |buyer| shop.order(buyer).await)
            .await?;
        for (program, used) in cpu::used(stack, postgres) {
            let before = before.get(&program).copied().unwrap_or_default();
            *self.used.entry(program).or_default() += used.saturating_sub(before);
        }
        let buyer = shop.buyers.get(..1).unwrap_or_default();
        self.own
            .add(buyer, SIDE_MEASUREMENT, async |buyer| shop.list_own(buyer).await)
            .await?;
        let admin = std::slice::from_ref(&shop.admin);
        self.pending
            .add(admin, SIDE_MEASUREMENT, async |admin| {
                shop.list_pending(admin).await
            })
            .await
    }

    async fn report(self, commits_per_second: f64) -> Result<SizeReport, Failure> {
        let mut database = Connection::open(self.platform.database("order-service")?).await?;
        let orders_after = database.number("select count(*) from orders").await?;
        let count = self.orders.count().max(1);
        let each = |used: Duration| hundredths(used.as_secs_f64() * 1_000.0 / f64::from(count));
        let orders = self.orders.summary();
        Ok(SizeReport {
            orders_before: self.size,
            orders_after: orders_after.try_into()?,
            orders_per_bare_commit: hundredths(orders.per_second / commits_per_second),
            orders,
            own_page: self.own.summary(),
            pending_page: self.pending.summary(),
            cpu_ms_per_order: self
                .used
                .into_iter()
                .map(|(program, used)| (program, each(used)))
                .collect(),
        })
    }
}
