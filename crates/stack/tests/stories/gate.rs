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

/// Stands between a service and whoever calls it, at a port of its own.
pub struct Gate {
    pub url: String,
    passes: watch::Sender<Passes>,
    seen: Arc<Seen>,
}

/// What came to the gate so far, in pieces as they came.
#[derive(Default)]
struct Seen {
    held: AtomicUsize,
    requests: AtomicUsize,
    answers: AtomicUsize,
    /// Connections that are open.
    open: AtomicUsize,
}

impl Gate {
    /// A gate before whatever listens at this port, open.
    pub async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (passes, watched) = watch::channel(Passes::Everything);
        let seen = Arc::<Seen>::default();
        let counted = seen.clone();
        tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                let (watched, counted) = (watched.clone(), counted.clone());
                tokio::spawn(async move {
                    counted.open.fetch_add(1, Ordering::SeqCst);
                    pass(caller, port, watched, &counted).await;
                    counted.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { url, passes, seen }
    }

    pub fn set(&self, passes: Passes) {
        self.seen.held.store(0, Ordering::SeqCst);
        self.passes.send_replace(passes);
    }

    /// Waits until something is held back.
    pub async fn holds_something(&self) {
        eventually("the gate holds something back", async || {
            self.seen.held.load(Ordering::SeqCst) > 0
        })
        .await;
    }

    /// How many pieces of requests were handed to the service.
    pub fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::SeqCst)
    }

    /// How many pieces of answers were handed to its callers.
    pub fn answers(&self) -> usize {
        self.seen.answers.load(Ordering::SeqCst)
    }

    /// Closes every connection, and whatever is held back is lost. Then the gate is open.
    pub async fn cut(&self) {
        self.set(Passes::Nothing);
        eventually("no connection is left", async || {
            self.seen.open.load(Ordering::SeqCst) == 0
        })
        .await;
        self.set(Passes::Everything);
    }
}

async fn pass(caller: TcpStream, port: u16, passes: watch::Receiver<Passes>, seen: &Seen) {
    if *passes.borrow() == Passes::Nothing {
        return;
    }
    let Ok(neighbour) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    let (from_caller, to_caller) = caller.into_split();
    let (from_neighbour, to_neighbour) = neighbour.into_split();
    let requests = carry(
        from_caller,
        to_neighbour,
        Passes::NoRequest,
        passes.clone(),
        &seen.held,
        &seen.requests,
    );
    let answers = carry(
        from_neighbour,
        to_caller,
        Passes::NoAnswer,
        passes,
        &seen.held,
        &seen.answers,
    );
    // Either end of the connection is the end of both.
    tokio::select! {
        () = requests => {}
        () = answers => {}
    }
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    holds: Passes,
    mut passes: watch::Receiver<Passes>,
    held: &AtomicUsize,
    carried: &AtomicUsize,
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
            match passes.wait_for(|passes| *passes != holds).await {
                Ok(passes) if *passes != Passes::Nothing => {}
                _ => return,
            }
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
        carried.fetch_add(1, Ordering::SeqCst);
    }
}
