//! A proxy between two services, which injects faults.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::eventually;

/// The fault that the proxy injects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Requests are held back.
    HoldRequests,
    /// Responses are held back, so the service has processed the requests.
    HoldResponses,
    /// Connections are closed.
    Disconnect,
}

/// A proxy between a service and its callers, on its own port.
pub struct FaultProxy {
    pub url: String,
    fault: watch::Sender<Fault>,
    counters: Arc<Counters>,
}

/// Counts the chunks of data that the proxy received and forwarded.
#[derive(Default)]
struct Counters {
    held: AtomicUsize,
    requests: AtomicUsize,
    responses: AtomicUsize,
    /// Open connections.
    open: AtomicUsize,
}

impl FaultProxy {
    /// A proxy in front of the service at this port, without a fault.
    pub async fn in_front_of(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (fault, faults) = watch::channel(Fault::None);
        let counters = Arc::<Counters>::default();
        let connection_counters = counters.clone();
        tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                let (faults, connection_counters) = (faults.clone(), connection_counters.clone());
                tokio::spawn(async move {
                    connection_counters.open.fetch_add(1, Ordering::SeqCst);
                    serve(caller, port, faults, &connection_counters).await;
                    connection_counters.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { url, fault, counters }
    }

    pub fn set(&self, fault: Fault) {
        self.counters.held.store(0, Ordering::SeqCst);
        self.fault.send_replace(fault);
    }

    /// Waits until the proxy holds data back.
    pub async fn wait_until_held(&self) {
        eventually("the proxy holds data back", async || {
            self.counters.held.load(Ordering::SeqCst) > 0
        })
        .await;
    }

    /// The number of request chunks forwarded to the service.
    pub fn requests(&self) -> usize {
        self.counters.requests.load(Ordering::SeqCst)
    }

    /// The number of response chunks forwarded to the callers.
    pub fn responses(&self) -> usize {
        self.counters.responses.load(Ordering::SeqCst)
    }

    /// Closes all connections and drops held data, then forwards normally again.
    pub async fn disconnect_all(&self) {
        self.set(Fault::Disconnect);
        eventually("no connection is left", async || {
            self.counters.open.load(Ordering::SeqCst) == 0
        })
        .await;
        self.set(Fault::None);
    }
}

async fn serve(caller: TcpStream, port: u16, fault: watch::Receiver<Fault>, counters: &Counters) {
    if *fault.borrow() == Fault::Disconnect {
        return;
    }
    let Ok(service) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    let (from_caller, to_caller) = caller.into_split();
    let (from_service, to_service) = service.into_split();
    let requests = forward(
        from_caller,
        to_service,
        Fault::HoldRequests,
        fault.clone(),
        &counters.held,
        &counters.requests,
    );
    let responses = forward(
        from_service,
        to_caller,
        Fault::HoldResponses,
        fault,
        &counters.held,
        &counters.responses,
    );
    // When one direction ends, close both.
    tokio::select! {
        () = requests => {}
        () = responses => {}
    }
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    holds_on: Fault,
    mut fault: watch::Receiver<Fault>,
    held: &AtomicUsize,
    forwarded: &AtomicUsize,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            _ = fault.wait_for(|fault| *fault == Fault::Disconnect) => return,
        };
        let Ok(read @ 1..) = read else { return };
        if *fault.borrow() == holds_on {
            held.fetch_add(1, Ordering::SeqCst);
            match fault.wait_for(|fault| *fault != holds_on).await {
                Ok(fault) if *fault != Fault::Disconnect => {}
                _ => return,
            }
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
        forwarded.fetch_add(1, Ordering::SeqCst);
    }
}
