//! A service behind the gateway. It records each request, byte by byte, and misbehaves when the path asks for it.

mod behaviour;
mod received;
mod request;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::behaviour::{behave, respond};
pub use self::received::Received;
use self::request::{read_body, read_head};

/// The backend. It stops when the test ends.
#[derive(Clone)]
pub struct Backend {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    connections: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
    broken_bodies: Arc<AtomicUsize>,
    answering: CancellationToken,
    closing: CancellationToken,
}

impl Backend {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let backend = Self {
            address: listener.local_addr().unwrap(),
            received: Arc::default(),
            connections: Arc::default(),
            ended: Arc::default(),
            broken_bodies: Arc::default(),
            answering: CancellationToken::new(),
            closing: CancellationToken::new(),
        };
        let accepting = backend.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepting.connections.fetch_add(1, Ordering::Relaxed);
                let backend = accepting.clone();
                tokio::spawn(async move { backend.serve(stream).await });
            }
        });
        backend
    }

    /// All requests so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// The only request so far.
    pub fn only(&self) -> Received {
        let received = self.received();
        assert_eq!(received.len(), 1, "{received:#?}");
        received[0].clone()
    }

    /// The last request.
    pub fn last(&self) -> Received {
        self.received().last().expect("a request").clone()
    }

    /// The number of connections that were opened.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The number of connections that ended with a request.
    pub fn ended(&self) -> usize {
        self.ended.load(Ordering::Relaxed)
    }

    /// Answers the requests to `/kept`, and keeps their connections.
    pub fn answer_kept(&self) {
        self.answering.cancel();
    }

    /// Closes the connections that were kept.
    pub fn close_kept(&self) {
        self.closing.cancel();
    }

    /// The number of requests whose bodies broke off.
    pub fn broken_bodies(&self) -> usize {
        self.broken_bodies.load(Ordering::Relaxed)
    }

    async fn serve(&self, mut stream: TcpStream) {
        let mut buffer = Vec::new();
        for number in 0.. {
            let Some(head) = read_head(&mut stream, &mut buffer).await else {
                // Anything that is no request counts as one, so that no test overlooks it.
                if !buffer.is_empty() {
                    self.record(String::from_utf8_lossy(&buffer).into_owned(), Vec::new());
                }
                return;
            };
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            if path.contains("/early") {
                self.record(head, Vec::new());
                respond(&mut stream, "early").await;
                sleep(Duration::from_millis(200)).await;
                return;
            }
            if path.ends_with("/unread") {
                self.record(head, Vec::new());
                sleep(Duration::from_secs(60)).await;
                return;
            }
            if path.ends_with("/kept") {
                self.answering.cancelled().await;
                respond(&mut stream, "kept").await;
                self.closing.cancelled().await;
                drop(stream);
                self.ended.fetch_add(1, Ordering::Relaxed);
                return;
            }
            // A request that breaks off in its body is not complete, so it does not count.
            let Some(body) = read_body(&mut stream, &mut buffer, &head).await else {
                self.broken_bodies.fetch_add(1, Ordering::Relaxed);
                return;
            };
            let received = Received { head, body };
            self.received.lock().unwrap().push(received.clone());
            if !behave(&mut stream, &path, number, &received).await {
                self.ended.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
    }

    fn record(&self, head: String, body: Vec<u8>) {
        self.received.lock().unwrap().push(Received { head, body });
    }
}
