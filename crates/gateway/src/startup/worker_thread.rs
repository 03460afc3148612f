//! One worker: a thread that accepts connections and answers their requests by itself.

use std::io;
use std::net::TcpListener as StdListener;
use std::rc::Rc;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use service_kit::{Listener, Shutdown};
use tokio::sync::oneshot;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::reload::Tls;
use crate::connection;
use crate::worker::{Gateway, Peer, Worker};

/// How long requests in flight may take after a shutdown was requested.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);
/// How often closed connections to services and old identity tokens are dropped.
const POOL_CLEANUP_INTERVAL: Duration = Duration::from_secs(1);
/// How often a worker with the maximum number of connections looks whether one has ended.
const FULL_INTERVAL: Duration = Duration::from_millis(50);

/// A worker thread that is about to start.
pub(super) struct WorkerThread {
    pub gateway: Arc<Gateway>,
    pub listener: StdListener,
    pub tls: Tls,
    pub max_connections: usize,
    pub shutdown: Shutdown,
}

impl WorkerThread {
    /// Starts the thread. The receiver gets the outcome when the thread ends.
    pub fn start(self) -> io::Result<oneshot::Receiver<io::Result<()>>> {
        let (outcome, ended) = oneshot::channel();
        thread::Builder::new()
            .name("gateway-worker".to_owned())
            .spawn(move || drop(outcome.send(self.run())))?;
        Ok(ended)
    }

    /// Serves until shutdown is requested and the last request is answered.
    fn run(self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        LocalSet::new().block_on(&runtime, self.serve())
    }

    async fn serve(self) -> io::Result<()> {
        let listener = Listener::new(self.listener, self.shutdown.clone())?;
        let worker = Rc::new(Worker {
            gateway: Arc::clone(&self.gateway),
            pool: Rc::default(),
            metrics: Rc::default(),
            identities: Rc::default(),
            connections: TaskTracker::new(),
            closing: CancellationToken::new(),
        });
        let cleaned = Rc::clone(&worker);
        spawn_local(async move {
            loop {
                sleep(POOL_CLEANUP_INTERVAL).await;
                cleaned.pool.drop_stale();
                if let Some(signer) = &cleaned.gateway.identity_signer {
                    cleaned.identities.cleanup(signer);
                }
            }
        });

        let acceptor = Acceptor {
            worker: Rc::clone(&worker),
            tls: self.tls,
            shutdown: self.shutdown,
        };
        acceptor.accept_all(listener, self.max_connections).await;
        worker.closing.cancel();
        worker.connections.close();
        drop(timeout(SHUTDOWN_GRACE, worker.connections.wait()).await);
        Ok(())
    }
}

/// Accepts the connections of a worker.
struct Acceptor {
    worker: Rc<Worker>,
    tls: Tls,
    shutdown: Shutdown,
}

impl Acceptor {
    /// Accepts connections until the listener ends at shutdown.
    async fn accept_all(&self, mut listener: Listener, max_connections: usize) {
        let connections = &self.worker.connections;
        loop {
            if connections.len() >= max_connections {
                tokio::select! {
                    () = sleep(FULL_INTERVAL) => continue,
                    () = self.shutdown.delay_over() => return,
                }
            }
            let Some((stream, address)) = listener.accept().await else {
                return;
            };
            let tls = self.tls.read().unwrap_or_else(PoisonError::into_inner).clone();
            let peer = Peer {
                address: address.ip().to_canonical(),
                is_tls: tls.is_some(),
            };
            let worker = Rc::clone(&self.worker);
            connections.spawn_local(connection::serve(
                worker,
                stream,
                peer,
                tls.map(TlsAcceptor::from),
            ));
        }
    }
}
