//! Stops the platform under load. Each request whose connection was accepted gets a complete response.
//!
//! The test runs few rounds; `scripts/test --all` and `scripts/chaos --drain` run more.

use std::cell::{Cell, RefCell};
use std::io;
use std::time::Duration;

use futures_util::future::{join_all, join3};
use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::platform::Platform;
use crate::sandbox::{Sandbox, services};
use crate::trader::{Trader, order_of};
use crate::{DEADLINE, eventually, is_long};

/// The clients of each service that open a connection for each request.
const CLIENTS: usize = 4;
/// The clients of each service that keep their connections: how long each pauses between requests.
const PAUSES: [Duration; 2] = [Duration::ZERO, Duration::from_millis(20)];
/// The number of requests that are answered before the platform is stopped.
const WARM_UP: usize = 400;

#[tokio::test]
async fn no_request_is_cut_off_when_the_platform_stops_under_load() {
    let sandbox = Sandbox::new().await;
    let mut totals = [(0, 0), (0, 0)];
    let mut failures = Vec::new();
    for round in 0..rounds() {
        let delay = if round % 2 == 0 { "0s" } else { "1s" };
        let mut platform = sandbox.platform_with(&[("SHUTDOWN_DELAY", delay)]).await;
        let tally = stop_under_load(&sandbox, &mut platform).await;
        println!("round {round}, SHUTDOWN_DELAY={delay}: {}", tally.summary());
        let Tally { fresh, kept, failed } = tally;
        totals[round % 2].0 += fresh.answered.get() + kept.answered.get();
        failures.extend(fresh.cut_off.into_inner());
        failures.extend(failed.into_inner());
        let kept = kept.cut_off.into_inner();
        totals[round % 2].1 += kept.len();
        // Without a delay, a service closes idle connections at a moment that their clients can't know.
        if delay != "0s" {
            failures.extend(kept);
        }
    }
    for ((answered, kept), delay) in totals.into_iter().zip(["0s", "1s"]) {
        println!("SHUTDOWN_DELAY={delay}: {answered} answered, {kept} cut off on kept connections");
    }
    assert!(
        failures.is_empty(),
        "{} requests failed:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// The number of times that the platform is stopped.
fn rounds() -> usize {
    #[expect(
        clippy::disallowed_methods,
        reason = "this variable controls the test and configures no service"
    )]
    let rounds = std::env::var("DRAIN_ROUNDS");
    let few = if is_long() { 10 } else { 2 };
    rounds.map_or(few, |rounds| rounds.parse().expect("DRAIN_ROUNDS is a number"))
}

/// The requests of all clients.
#[derive(Default)]
struct Tally {
    /// On new connections.
    fresh: Outcomes,
    /// On kept connections.
    kept: Outcomes,
    /// Requests that were answered with an error.
    failed: RefCell<Vec<String>>,
}

#[derive(Default)]
struct Outcomes {
    answered: Cell<usize>,
    /// Requests on accepted connections without a complete response.
    cut_off: RefCell<Vec<String>>,
}

impl Tally {
    fn answered(&self) -> usize {
        self.fresh.answered.get() + self.kept.answered.get()
    }

    fn summary(&self) -> String {
        let of = |outcomes: &Outcomes| {
            let (answered, cut_off) = (outcomes.answered.get(), outcomes.cut_off.borrow().len());
            format!("{answered} answered, {cut_off} cut off")
        };
        let (fresh, kept, failed) = (of(&self.fresh), of(&self.kept), self.failed.borrow().len());
        format!("new connections: {fresh}; kept connections: {kept}; {failed} errors")
    }

    /// Counts a request, and returns whether its connection can be used again.
    fn count(&self, outcomes: &Outcomes, service: &str, outcome: Result<Response, String>) -> bool {
        match outcome {
            Ok(response) => {
                outcomes.answered.set(outcomes.answered.get() + 1);
                if !(200..300).contains(&response.status) {
                    let mut failed = self.failed.borrow_mut();
                    failed.push(format!("{service}: {}", response.text));
                }
                !response.closes
            }
            Err(reason) => {
                outcomes.cut_off.borrow_mut().push(format!("{service}: {reason}"));
                false
            }
        }
    }
}

/// Sends requests to all services, and stops the platform in the middle.
async fn stop_under_load(sandbox: &Sandbox, platform: &mut Platform) -> Tally {
    let requests = requests(sandbox, platform).await;
    let tally = Tally::default();
    let fresh = requests
        .iter()
        .flat_map(|request| (0..CLIENTS).map(move |_| request))
        .map(|request| connect_each_time(request, &tally));
    let kept = requests
        .iter()
        .flat_map(|request| PAUSES.map(|pause| (request, pause)))
        .map(|(request, pause)| keep_connections(request, pause, &tally));
    let stop = async {
        eventually("requests are answered", async || tally.answered() > WARM_UP).await;
        platform.send(Signal::TERM);
        assert_eq!(platform.end().await.code(), Some(0), "{}", platform.log.text());
    };
    join3(join_all(fresh), join_all(kept), stop).await;
    tally
}

/// A request to a service.
struct Request {
    service: &'static str,
    port: u16,
    text: String,
}

/// One request for each service. An order calls product-service and inventory-service.
async fn requests(sandbox: &Sandbox, platform: &Platform) -> Vec<Request> {
    let admin = Trader::admin(platform, sandbox).await;
    let product = admin.create_product(1_000_000_000).await;
    let order = order_of(&product, 1).to_string();
    services()
        .map(|service| {
            let (line, body) = match service {
                "gateway" => ("POST /api/orders".to_owned(), order.as_str()),
                "user-service" => ("GET /auth/sessions".to_owned(), ""),
                "product-service" => ("GET /products".to_owned(), ""),
                "inventory-service" => (format!("GET /inventory/{product}"), ""),
                "order-service" => ("POST /orders".to_owned(), order.as_str()),
                _ => ("GET /openapi.json".to_owned(), ""),
            };
            let text = format!(
                "{line} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\n\r\n{body}",
                admin.token(),
                body.len()
            );
            Request {
                service,
                port: platform.port(service),
                text,
            }
        })
        .collect()
}

/// Sends requests, each on a new connection, until the service refuses connections.
async fn connect_each_time(request: &Request, tally: &Tally) {
    while let Ok(mut connection) = TcpStream::connect(("127.0.0.1", request.port)).await {
        let outcome = exchange(&mut connection, &request.text).await;
        tally.count(&tally.fresh, request.service, outcome);
    }
}

/// Sends requests on kept connections, until the service refuses connections.
async fn keep_connections(request: &Request, pause: Duration, tally: &Tally) {
    while let Ok(mut connection) = TcpStream::connect(("127.0.0.1", request.port)).await {
        let mut outcomes = &tally.fresh;
        loop {
            let outcome = exchange(&mut connection, &request.text).await;
            if !tally.count(outcomes, request.service, outcome) {
                break;
            }
            outcomes = &tally.kept;
            tokio::time::sleep(pause).await;
        }
    }
}

struct Response {
    status: u16,
    /// Whether the service closes the connection.
    closes: bool,
    text: String,
}

/// Sends a request and reads the whole response. Otherwise returns the reason.
async fn exchange(connection: &mut TcpStream, request: &str) -> Result<Response, String> {
    let mut received = Vec::new();
    let exchanged = timeout(DEADLINE, async {
        connection.write_all(request.as_bytes()).await?;
        while !is_complete(&received) {
            if connection.read_buf(&mut received).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
        }
        Ok(())
    });
    let text = |received: &[u8]| String::from_utf8_lossy(received).into_owned();
    match exchanged.await {
        Ok(Ok(())) => {
            let text = text(&received);
            let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
            Ok(Response {
                status: status.expect("a status"),
                closes: text.contains("\r\nconnection: close\r\n"),
                text,
            })
        }
        Ok(Err(error)) => Err(format!("{error} after {:?}", text(&received))),
        Err(_) => Err(format!("no response in time, but {:?}", text(&received))),
    }
}

/// Whether this is a whole response.
fn is_complete(received: &[u8]) -> bool {
    let text = String::from_utf8_lossy(received);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let length = lines
        .filter(|(name, _)| *name == "content-length")
        .find_map(|(_, value)| value.parse().ok());
    body.len() >= length.unwrap_or(0)
}
