//! A gate between two services, which a test shuts and opens.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::eventually;

/// What passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passes {
    Everything,
    /// Requests are held back.
    NoRequest,
    /// Answers are held back: what was asked for is done.
    NoAnswer,
    /// Connections are closed.
    Nothing,
}

/// Stands between a service and its neighbour, at a port of its own.
pub struct Gate {
    pub url: String,
    passes: watch::Sender<Passes>,
    held: Arc<AtomicUsize>,
}

impl Gate {
    /// A gate before whatever listens at this port, open.
    pub async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (passes, watched) = watch::channel(Passes::Everything);
        let held = Arc::new(AtomicUsize::new(0));
        let counted = held.clone();
        tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                tokio::spawn(pass(caller, port, watched.clone(), counted.clone()));
            }
        });
        Self { url, passes, held }
    }

    pub fn set(&self, passes: Passes) {
        self.held.store(0, Ordering::SeqCst);
        self.passes.send_replace(passes);
    }

    /// Waits until something is held back.
    pub async fn holds_something(&self) {
        eventually("the gate holds something back", async || self.held.load(Ordering::SeqCst) > 0).await;
    }
}

async fn pass(caller: TcpStream, port: u16, passes: watch::Receiver<Passes>, held: Arc<AtomicUsize>) {
    if *passes.borrow() == Passes::Nothing {
        return;
    }
    let Ok(neighbour) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let (from_caller, to_caller) = caller.into_split();
    let (from_neighbour, to_neighbour) = neighbour.into_split();
    // Either end of the connection is the end of both.
    tokio::select! {
        () = carry(from_caller, to_neighbour, Passes::NoRequest, passes.clone(), &held) => {}
        () = carry(from_neighbour, to_caller, Passes::NoAnswer, passes, &held) => {}
    }
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    holds: Passes,
    mut passes: watch::Receiver<Passes>,
    held: &AtomicUsize,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            _ = passes.wait_for(|passes| *passes == Passes::Nothing) => return,
        };
        let Ok(read @ 1..) = read else { return };
        if *passes.borrow() == holds {
            held.fetch_add(1, Ordering::SeqCst);
            if passes.wait_for(|passes| *passes != holds).await.is_err() {
                return;
            }
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
