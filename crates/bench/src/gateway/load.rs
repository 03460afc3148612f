//! The load on one gateway, and its cost.

use std::cell::Cell;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;

use super::contender::Contender;
use super::requests::Requests;
use crate::load::Tally;
use crate::wire::Wire;
use crate::{Failure, cpu, memory};

const CONNECTIONS: usize = 64;
const WARM_UP: Duration = Duration::from_millis(200);
/// The status of a request whose connection broke.
const BROKEN: u16 = 0;

/// Requests to one gateway, with all tokens in turn.
pub(super) struct Load<'l> {
    pub contender: &'l Contender,
    pub requests: &'l Requests,
    /// `None` without TLS.
    pub connector: Option<&'l TlsConnector>,
    next: Cell<usize>,
}

/// The cost of one measurement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// Processor time per request, in microseconds.
    pub each_us: f64,
    pub per_second: f64,
    /// How busy the core was, in percent. If it is not near 100, the load is the limit, and the gateway pays for waking up.
    pub busy: f64,
    pub p99_ms: f64,
    /// Resident memory in megabytes.
    pub resident: f64,
    /// Responses without status 200, and broken connections.
    pub errors: u32,
}

/// Keeps the load's core from sleeping until this is dropped.
///
/// A gateway that writes to a sleeping thread pays for waking it up, more often the more evenly its work is spread. Clients and services
/// on other machines cause no such cost.
#[derive(Debug)]
#[must_use]
pub(super) struct Awake(AbortHandle);

impl Awake {
    pub(super) fn start() -> Self {
        let idle = tokio::spawn(async {
            loop {
                tokio::task::yield_now().await;
            }
        });
        Self(idle.abort_handle())
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A connection, and the bytes of the request that it sends.
struct Client {
    wire: Wire,
    request: Vec<u8>,
}

impl<'l> Load<'l> {
    pub(super) fn new(
        contender: &'l Contender,
        requests: &'l Requests,
        connector: Option<&'l TlsConnector>,
    ) -> Self {
        Self {
            contender,
            requests,
            connector,
            next: Cell::new(0),
        }
    }

    /// A new connection to the gateway.
    pub(super) async fn open(&self) -> Result<Wire, Failure> {
        match self.connector {
            Some(connector) => Wire::open_tls(self.contender.port, connector).await,
            None => Wire::open(self.contender.port).await,
        }
    }

    /// Sends each token once.
    pub(super) async fn prime(&self) -> Result<(), Failure> {
        let clients = self.clients().await?;
        let rest = Cell::new(self.requests.len());
        let send_rest = async |client: &Mutex<Client>| {
            while let Some(less) = rest.get().checked_sub(1) {
                rest.set(less);
                match self.send(client).await? {
                    200 => {}
                    status => return Err(format!("status {status} for a valid token").into()),
                }
            }
            Ok::<_, Failure>(())
        };
        try_join_all(clients.iter().map(send_rest)).await?;
        Ok(())
    }

    /// Measures with connections that have been used.
    pub(super) async fn measure(&self, duration: Duration) -> Result<Cost, Failure> {
        let clients = self.clients().await?;
        let send = async |client: &Mutex<Client>| self.send(client).await;
        Tally::default().add(&clients, WARM_UP, send).await?;
        let pid = self.contender.process.pid;
        let (mut tally, before) = (Tally::default(), cpu::used_by_family(pid));
        tally.add(&clients, duration, send).await?;
        let used = cpu::used_by_family(pid).saturating_sub(before);
        let each_us = used.as_secs_f64() * 1e6 / f64::from(tally.count());
        let per_second = tally.per_second();
        Ok(Cost {
            each_us,
            per_second,
            busy: each_us * per_second / 1e4,
            errors: tally.errors(),
            resident: memory::resident_megabytes(pid)?,
            p99_ms: tally.p99().as_secs_f64() * 1e3,
        })
    }

    async fn clients(&self) -> Result<Vec<Mutex<Client>>, Failure> {
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            clients.push(Mutex::new(Client {
                wire: self.open().await?,
                request: Vec::new(),
            }));
        }
        Ok(clients)
    }

    /// Sends the next request. Opens a new connection if this one breaks.
    async fn send(&self, client: &Mutex<Client>) -> Result<u16, Failure> {
        let mut client = client.lock().await;
        let Client { wire, request } = &mut *client;
        self.requests.write(self.next(), request);
        if let Ok(response) = wire.send_bytes(request).await {
            return Ok(response.status);
        }
        *wire = self.open().await?;
        Ok(BROKEN)
    }

    fn next(&self) -> usize {
        let next = self.next.get();
        self.next.set((next + 1) % self.requests.len().max(1));
        next
    }
}
