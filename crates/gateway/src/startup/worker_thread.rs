//! One worker: a thread that accepts connections and answers their requests by itself.

use std::io;
use std::net::TcpListener as StdListener;
use std::rc::Rc;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use service_kit::Shutdown;
use tokio::net::{TcpListener, TcpStream};
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
/// How often idle connections to services are looked through for closed ones.
const POOL_INTERVAL: Duration = Duration::from_secs(1);
/// The wait after the system could not accept a connection, for example because all file descriptors are in use.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// What a worker thread is started with.
pub(super) struct WorkerThread {
    pub gateway: Arc<Gateway>,
    pub listener: StdListener,
    pub tls: Tls,
    pub max_connections: usize,
    pub shutdown: Shutdown,
}

impl WorkerThread {
    /// Serves until shutdown is requested and the last request is answered.
    pub fn run(self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        LocalSet::new().block_on(&runtime, self.serve())
    }

    async fn serve(self) -> io::Result<()> {
        self.listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(self.listener.try_clone()?)?;
        let worker = Rc::new(Worker {
            gateway: Arc::clone(&self.gateway),
            pool: Rc::default(),
            metrics: Rc::default(),
        });
        let pool = Rc::clone(&worker.pool);
        spawn_local(async move {
            loop {
                sleep(POOL_INTERVAL).await;
                pool.drop_stale();
            }
        });

        let connections = TaskTracker::new();
        let closing = CancellationToken::new();
        tokio::select! {
            () = self.accept(&listener, &worker, &connections, &closing) => {}
            () = self.shutdown.requested() => {}
        }
        self.gateway.drain();
        drop(listener);
        closing.cancel();
        connections.close();
        drop(timeout(SHUTDOWN_GRACE, connections.wait()).await);
        Ok(())
    }

    async fn accept(
        &self,
        listener: &TcpListener,
        worker: &Rc<Worker>,
        connections: &TaskTracker,
        closing: &CancellationToken,
    ) {
        loop {
            if connections.len() >= self.max_connections {
                sleep(ACCEPT_RETRY).await;
                continue;
            }
            match listener.accept().await {
                Ok((stream, address)) => {
                    let tls = self.tls.read().unwrap_or_else(PoisonError::into_inner).clone();
                    let peer = Peer {
                        address: address.ip().to_canonical(),
                        is_tls: tls.is_some(),
                    };
                    let worker = Rc::clone(worker);
                    prepare(&stream);
                    connections.spawn_local(connection::serve(
                        worker,
                        stream,
                        peer,
                        tls.map(TlsAcceptor::from),
                        closing.clone(),
                    ));
                }
                Err(error) => {
                    tracing::warn!(%error, "can't accept a connection");
                    sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }
}

/// Sends small packets at once. Without that, each response could wait for the client's acknowledgement.
fn prepare(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "can't set TCP_NODELAY");
    }
}
