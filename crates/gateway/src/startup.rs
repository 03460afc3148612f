//! Assembles the gateway and runs it: a worker thread for each core, and the inner server.

mod inner;
mod reload;
mod worker_thread;

use std::error::Error;
use std::io;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use service_kit::{AuthStrategy, Runtime};
use tokio::sync::oneshot::error::RecvError;
use tokio::task::JoinSet;

use self::worker_thread::WorkerThread;
use crate::NAME;
use crate::config::Config;
use crate::identity::IdentitySigner;
use crate::worker::Gateway;

/// How often clients that sent nothing for long are forgotten.
const RATE_LIMIT_CLEANUP_INTERVAL: Duration = Duration::from_secs(10);
/// File descriptors for everything but connections.
const RESERVED_FILES: u64 = 256;
/// The number of client connections if the system sets no limit.
const MAX_CONNECTIONS: u64 = 1 << 20;
/// How long a client may leave a response unread.
#[cfg(target_os = "linux")]
const UNREAD_TIMEOUT_MILLIS: u32 = 30_000;

/// Runs the gateway until shutdown is requested.
///
/// # Errors
/// When a listener can't be opened.
pub async fn run(config: Config, runtime: Runtime) -> Result<(), Box<dyn Error>> {
    let verifier = config.auth.verifier(NAME, &runtime)?;
    let identity_signer = match config.auth.strategy {
        AuthStrategy::Gateway => Some(IdentitySigner::new(&config.auth.issuer, runtime.clock.clone())?),
        AuthStrategy::Local | AuthStrategy::Introspect => None,
    };
    let inner_listener = TcpListener::bind(config.inner_listen)
        .map_err(|error| format!("can't listen on {}: {error}", config.inner_listen))?;
    let gateway = Arc::new(Gateway::new(
        verifier,
        runtime.clock.clone(),
        &config.auth.cookies,
        config.trusted_proxies,
        identity_signer,
        config.edge.table,
        runtime.shutdown.clone(),
    ));
    if config.edge.tls.is_some() && !config.auth.cookies.origins.is_https() {
        tracing::warn!(
            "TLS_CERT is set, but PUBLIC_URL is not https: browsers can't use cookies, and tokens name another issuer"
        );
    }
    let tls = Arc::new(RwLock::new(config.edge.tls));

    let listener = runtime.listener;
    #[cfg(target_os = "linux")]
    rustix::net::sockopt::set_tcp_user_timeout(&listener, UNREAD_TIMEOUT_MILLIS)?;
    let address = listener.local_addr()?;
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let max_connections = (max_connections() / cores).max(1);
    let mut workers = JoinSet::new();
    for _ in 0..cores {
        let worker = WorkerThread {
            gateway: Arc::clone(&gateway),
            listener: listener.try_clone()?,
            tls: Arc::clone(&tls),
            max_connections,
            shutdown: runtime.shutdown.clone(),
        };
        workers.spawn(worker.start()?);
    }
    // The workers have the listener now. When they drop it, connections are refused.
    drop(listener);
    tracing::info!(%address, workers = cores, "listening");

    let (cleaned, reloaded) = (Arc::clone(&gateway), Arc::clone(&gateway));
    let server = inner::server(&gateway)
        .background("cleanup", move || cleanup(Arc::clone(&cleaned)))
        .background("reload", move || {
            reload::on_signal(Arc::clone(&reloaded), Arc::clone(&tls))
        })
        .run(inner_listener, runtime.shutdown);
    tokio::try_join!(async { Ok(server.await?) }, all_end(workers))?;
    Ok(())
}

/// Waits until all worker threads have ended, or one has failed: the program ends then.
async fn all_end(mut workers: JoinSet<Result<io::Result<()>, RecvError>>) -> Result<(), Box<dyn Error>> {
    while let Some(ended) = workers.join_next().await {
        ended?.map_err(|_| "a worker thread panicked")??;
    }
    Ok(())
}

async fn cleanup(gateway: Arc<Gateway>) {
    loop {
        tokio::time::sleep(RATE_LIMIT_CLEANUP_INTERVAL).await;
        gateway.table().cleanup_limits();
    }
}

/// The number of client connections that the gateway accepts at the same time: each may need a connection to a service, too. Raises
/// the limit of file descriptors to the maximum that the system permits.
fn max_connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "could not raise the limit of file descriptors");
    }
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let connections = (files.saturating_sub(RESERVED_FILES) / 2).clamp(16, MAX_CONNECTIONS);
    usize::try_from(connections).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn the_program_ends_when_one_worker_thread_panics_or_fails() {
        let (_running, runs) = oneshot::channel();
        let (panicking, panics) = oneshot::channel();
        drop(panicking);
        let error = all_end([runs, panics].into_iter().collect()).await.unwrap_err();
        assert_eq!(error.to_string(), "a worker thread panicked");

        let (_running, runs) = oneshot::channel();
        let (failing, fails) = oneshot::channel();
        failing.send(Err(io::Error::other("no listener"))).unwrap();
        let error = all_end([runs, fails].into_iter().collect()).await.unwrap_err();
        assert_eq!(error.to_string(), "no listener");
    }
}
