//! The threads that serve connections, each with its own runtime and its own instance of the application.
//!
//! At shutdown they serve every connection that was accepted. actix-server, which does the same work otherwise, resets those
//! that wait for a thread.

use std::convert::Infallible;
use std::fmt::Debug;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use actix_http::Protocol;
use actix_http::error::DispatchError;
use actix_rt::Arbiter;
use actix_service::{Service, ServiceFactory};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::idle::EndWhenIdle;
use super::stream::ClientStream;

/// The number of connections for each worker. Further ones wait in the listener's queue.
const MAX_CONNECTIONS: usize = 25_600;

/// A connection, as actix-http takes it.
pub(super) type Connection = (ClientStream<EndWhenIdle>, Protocol, Option<SocketAddr>);

/// The threads that serve connections.
pub(super) struct Workers {
    all: Vec<Worker>,
    next: usize,
    places: Arc<Semaphore>,
}

struct Worker {
    connections: mpsc::UnboundedSender<Accepted>,
    ended: oneshot::Receiver<()>,
    arbiter: Arbiter,
}

/// A connection on the way to its worker.
struct Accepted {
    /// Registered with no runtime.
    stream: std::net::TcpStream,
    client: SocketAddr,
    /// Returned at the end of the connection.
    place: Option<OwnedSemaphorePermit>,
}

impl Workers {
    /// Starts one worker for each core.
    pub(super) fn start<F, S>(service: &F, grace: Duration) -> io::Result<Self>
    where
        F: Fn() -> S + Send + Clone + 'static,
        S: ServiceFactory<Connection, Config = (), Response = (), Error = DispatchError> + 'static,
        S::InitError: Debug,
    {
        let count = available_parallelism().map_or(2, usize::from);
        let workers = (0..count).map(|_| Worker::start(service.clone(), grace));
        Ok(Self {
            all: workers.collect::<io::Result<_>>()?,
            next: 0,
            places: Arc::new(Semaphore::new(count * MAX_CONNECTIONS)),
        })
    }

    /// Gives a connection to the next worker. Waits while there are too many connections, but not for longer than `limit`.
    pub(super) async fn serve(
        &mut self,
        (stream, client): (TcpStream, SocketAddr),
        limit: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let place = tokio::select! {
            biased;
            place = Arc::clone(&self.places).acquire_owned() => place.ok(),
            () = limit => None,
        };
        let worker = self.all.get(self.next % self.all.len().max(1));
        self.next = self.next.wrapping_add(1);
        let stream = match stream.into_std() {
            Ok(stream) => stream,
            Err(error) => {
                tracing::error!(%error, "can't serve a connection");
                return Ok(());
            }
        };
        let accepted = Accepted {
            stream,
            client,
            place,
        };
        match worker.map(|worker| worker.connections.send(accepted)) {
            Some(Ok(())) => Ok(()),
            _ => Err(io::Error::other("a worker has ended unexpectedly")),
        }
    }

    /// Waits until all connections have ended, at most for the grace period. Connections without a request end at once.
    pub(super) async fn finish(mut self) {
        let mut all_ended = Vec::new();
        for worker in self.all.drain(..) {
            drop(worker.connections);
            all_ended.push((worker.ended, worker.arbiter));
        }
        for (ended, arbiter) in all_ended {
            // An error means that the worker is gone, so it has ended too.
            drop(ended.await);
            arbiter.stop();
        }
    }
}

/// Ends the threads of a server that is dropped before it has finished.
impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &self.all {
            worker.arbiter.stop();
        }
    }
}

impl Worker {
    fn start<F, S>(service: F, grace: Duration) -> io::Result<Self>
    where
        F: Fn() -> S + Send + 'static,
        S: ServiceFactory<Connection, Config = (), Response = (), Error = DispatchError> + 'static,
        S::InitError: Debug,
    {
        let (connections, accepted) = mpsc::unbounded_channel();
        let (report_end, ended) = oneshot::channel();
        let arbiter = Arbiter::try_new()?;
        arbiter.spawn_fn(move || {
            let service = service();
            actix_rt::spawn(async move {
                match service.new_service(()).await {
                    Ok(service) => run(service, accepted, grace).await,
                    Err(error) => tracing::error!(?error, "the application did not start"),
                }
                drop(report_end);
            });
        });
        Ok(Self {
            connections,
            ended,
            arbiter,
        })
    }
}

/// Serves all connections that the channel contains, also after its sender is gone. Then gives them time to end.
async fn run<S>(service: S, mut accepted: mpsc::UnboundedReceiver<Accepted>, grace: Duration)
where
    S: Service<Connection, Response = (), Error = DispatchError>,
    S::Future: 'static,
{
    let shutdown = CancellationToken::new();
    // Each connection holds a sender, so the channel closes when all have ended.
    let (open, mut all_ended) = mpsc::channel::<Infallible>(1);
    while let Some(Accepted {
        stream,
        client,
        place,
    }) = accepted.recv().await
    {
        let stream = match TcpStream::from_std(stream) {
            Ok(stream) => ClientStream::new(EndWhenIdle::new(stream, shutdown.clone())),
            Err(error) => {
                tracing::error!(%error, "can't serve a connection");
                continue;
            }
        };
        if let Err(error) = poll_fn(|cx| service.poll_ready(cx)).await {
            log(&error);
        }
        let connection = service.call((stream, Protocol::Http1, Some(client)));
        let open = open.clone();
        actix_rt::spawn(async move {
            let _held = (open, place);
            connection.await.unwrap_or_else(|error| log(&error));
        });
    }
    shutdown.cancel();
    drop(open);
    if tokio::time::timeout(grace, all_ended.recv()).await.is_err() {
        let connections = all_ended.sender_strong_count();
        tracing::warn!(connections, "stopping before all requests are answered");
    }
}

/// Logs why a connection ended early. Faults of the client or the network are not the operator's concern.
fn log(error: &DispatchError) {
    match error {
        DispatchError::Body(_) | DispatchError::InternalError | DispatchError::Service(_) => {
            tracing::error!(%error, "connection failed");
        }
        _ => tracing::debug!(%error, "connection ended early"),
    }
}
