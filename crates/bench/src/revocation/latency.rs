//! The time from the response to a logout until every service refuses the session's access token.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio::sync::Semaphore;

use super::sessions::Session;
use super::transport::{FOLLOWERS, Transport};
use super::{Options, VARIABLES, sessions};
use crate::load::Percentiles;
use crate::platform::Platform;
use crate::report::{DelayRow, Finding};
use crate::wire::Wire;
use crate::{Failure, say};

/// A service that still accepts a token after this time fails the benchmark.
const TIMEOUT: Duration = Duration::from_secs(10);

/// For each of the [`FOLLOWERS`]: a request that reads no database, and its status as long as the token is valid. The gateway
/// requires a valid token for a path that order-service does not have, so only the gateway itself can answer 401.
const REQUESTS: [(&str, u16); 4] = [
    ("GET /api/orders/no/such/path", 404),
    ("DELETE /products/00000000-0000-4000-8000-000000000000", 403),
    ("POST /orders/00000000-0000-4000-8000-000000000000/fulfil", 403),
    ("DELETE /reservations/00000000-0000-4000-8000-000000000000", 403),
];

/// The measurements with one transport.
pub(super) struct Latency {
    transport: &'static str,
    /// Until the last service refuses the token.
    last: Percentiles,
    rows: Vec<(String, Percentiles)>,
}

impl Latency {
    pub(super) fn rows(self) -> impl Iterator<Item = DelayRow> {
        let last = ("all four refuse its token".to_owned(), self.last);
        let rows = std::iter::once(last).chain(self.rows);
        rows.map(move |(until, time)| DelayRow {
            transport: self.transport,
            until,
            time,
        })
    }
}

pub(super) fn goals(latency: &Latency) -> [Finding; 2] {
    let Percentiles { p99, max, .. } = latency.last;
    [("p99", p99, 100.0), ("max", max, 1_000.0)].map(|(which, value, goal)| {
        let what = format!("revocation: refused everywhere, {}, {which}", latency.transport);
        Finding::new(what, "ms", &[value]).at_most(goal)
    })
}

/// If the platform does not use the transport, the result is the reason.
pub(super) async fn measure(
    options: &Options,
    transport: &Transport,
) -> Result<Result<Latency, String>, Failure> {
    let name = transport.name();
    say(&format!(
        "revocation: {} sessions log out, {name}",
        options.sessions
    ));
    let variables = [VARIABLES.as_slice(), &transport.variables()].concat();
    let platform = Platform::start_with(&options.stack.program()?, None, &variables).await?;
    if !transport.is_followed(&platform).await? {
        return Ok(Err(format!(
            "{name} WAS NOT MEASURED: the services do not follow the feed over it"
        )));
    }
    let sessions = sessions::open(&platform, usize::try_from(options.sessions)?).await?;
    let mut gateway = Wire::open(platform.port("gateway")?).await?;
    let mut pollers = Poller::of_each(&platform).await?;
    for session in &sessions {
        // From then on the token is in the cache of each service.
        try_join_all(
            pollers
                .iter_mut()
                .map(|poller| poller.expect_accepted(&session.token)),
        )
        .await?;
    }

    let mut delays = Delays::default();
    for session in &sessions {
        delays.add(session, &mut pollers, &mut gateway).await?;
    }
    let last = sessions.last().map_or("", |session| &session.token);
    let resolution = resolution(&mut pollers, last, sessions.len()).await?;
    Ok(Ok(delays.summary(name, resolution)))
}

/// From the response to each logout.
#[derive(Default)]
struct Delays {
    logouts: Vec<Duration>,
    last: Vec<Duration>,
    /// Until each of the [`FOLLOWERS`] refuses the token.
    each: [Vec<Duration>; 4],
}

impl Delays {
    /// Logs a session out while all services are polled with its token.
    async fn add(
        &mut self,
        session: &Session,
        pollers: &mut [Poller],
        gateway: &mut Wire,
    ) -> Result<(), Failure> {
        let accepted = Semaphore::new(0);
        let log_out = async {
            drop(accepted.acquire_many(4).await?);
            let sent = Instant::now();
            session.log_out(gateway).await?;
            Ok((sent, Instant::now()))
        };
        let refusals = try_join_all(
            pollers
                .iter_mut()
                .map(|poller| poller.poll_until_refused(&session.token, &accepted)),
        );
        let measured = tokio::time::timeout(TIMEOUT, async { tokio::try_join!(log_out, refusals) });
        let ((sent, done), refusals) = measured
            .await
            .map_err(|_| format!("a service accepted the token of an ended session for {TIMEOUT:?}"))??;
        self.logouts.push(done.saturating_duration_since(sent));
        // A service may know before the client that has logged out.
        let delays: Vec<_> = refusals
            .iter()
            .map(|refused| refused.saturating_duration_since(done))
            .collect();
        self.last.extend(delays.iter().max());
        for (all, delay) in self.each.iter_mut().zip(delays) {
            all.push(delay);
        }
        Ok(())
    }

    fn summary(self, transport: &'static str, resolution: Percentiles) -> Latency {
        let each = FOLLOWERS.iter().zip(self.each);
        let mut rows: Vec<_> = each
            .map(|(service, delays)| (format!("{service} refuses it"), Percentiles::of(delays)))
            .collect();
        rows.push(("(the time of a refused request alone)".to_owned(), resolution));
        rows.push((
            "(the time of the logout itself)".to_owned(),
            Percentiles::of(self.logouts),
        ));
        Latency {
            transport,
            last: Percentiles::of(self.last),
            rows,
        }
    }
}

/// The time of a request with a token that is already revoked, while the other services get such requests too.
async fn resolution(pollers: &mut [Poller], token: &str, count: usize) -> Result<Percentiles, Failure> {
    let times = try_join_all(
        pollers
            .iter_mut()
            .map(|poller| poller.time_refusals(token, count)),
    )
    .await?;
    Ok(Percentiles::of(times.into_iter().flatten().collect()))
}

/// A connection to one service, with one request at a time.
struct Poller {
    service: &'static str,
    wire: Wire,
    request: &'static str,
    /// The status as long as the token is valid.
    accepted: u16,
}

impl Poller {
    async fn of_each(platform: &Platform) -> Result<Vec<Self>, Failure> {
        let mut pollers = Vec::new();
        for (service, (request, accepted)) in FOLLOWERS.into_iter().zip(REQUESTS) {
            pollers.push(Self {
                service,
                wire: Wire::open(platform.port(service)?).await?,
                request,
                accepted,
            });
        }
        Ok(pollers)
    }

    /// Whether the service accepts the token.
    async fn is_accepted(&mut self, token: &str) -> Result<bool, Failure> {
        let request = self.request;
        let request = format!(
            "{request} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\ncontent-length: 0\r\n\r\n"
        );
        match self.wire.send(&request).await?.status {
            401 => Ok(false),
            status if status == self.accepted => Ok(true),
            status => Err(format!("{} answered {} with status {status}", self.service, self.request).into()),
        }
    }

    async fn expect_accepted(&mut self, token: &str) -> Result<(), Failure> {
        if self.is_accepted(token).await? {
            return Ok(());
        }
        Err(format!("{} refuses a valid token", self.service).into())
    }

    /// Sends requests until the token is refused, and returns when that was. Adds a permit when the token was accepted.
    async fn poll_until_refused(&mut self, token: &str, accepted: &Semaphore) -> Result<Instant, Failure> {
        self.expect_accepted(token).await?;
        accepted.add_permits(1);
        while self.is_accepted(token).await? {}
        Ok(Instant::now())
    }

    async fn time_refusals(&mut self, token: &str, count: usize) -> Result<Vec<Duration>, Failure> {
        let mut times = Vec::new();
        for _ in 0..count {
            let sent = Instant::now();
            if self.is_accepted(token).await? {
                return Err(format!("{} accepts a revoked token", self.service).into());
            }
            times.push(sent.elapsed());
        }
        Ok(times)
    }
}
