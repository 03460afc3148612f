//! A proxy that delivers the bytes of a server late.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// Forwards connections to a server. Its bytes arrive after a delay, in order; the client's arrive at once.
#[derive(Clone)]
pub struct SlowProxy {
    pub address: SocketAddr,
    delay: Arc<AtomicU64>,
}

impl SlowProxy {
    /// A proxy without a delay.
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            delay: Arc::default(),
        };
        let accepting = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(accepting.clone().forward(client, server));
            }
        });
        proxy
    }

    /// Delays the bytes that arrive from now on.
    pub fn set_delay(&self, delay: Duration) {
        let millis = delay.as_millis().try_into().unwrap();
        self.delay.store(millis, Ordering::Relaxed);
    }

    async fn forward(self, client: TcpStream, server: SocketAddr) {
        let Ok(server) = TcpStream::connect(server).await else {
            return;
        };
        let (mut from_client, to_client) = client.into_split();
        let (from_server, mut to_server) = server.into_split();
        let upload = async { drop(copy(&mut from_client, &mut to_server).await) };
        tokio::select! {
            () = upload => {}
            () = self.deliver(from_server, to_client) => {}
        }
    }

    async fn deliver(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let (arrived, mut late) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
        let read = async move {
            loop {
                let mut bytes = Vec::with_capacity(65_536);
                let Ok(1..) = from.read_buf(&mut bytes).await else {
                    return;
                };
                let delay = Duration::from_millis(self.delay.load(Ordering::Relaxed));
                if arrived.send((Instant::now() + delay, bytes)).is_err() {
                    return;
                }
            }
        };
        let write = async move {
            while let Some((due, bytes)) = late.recv().await {
                sleep_until(due).await;
                if to.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        };
        tokio::join!(read, write);
    }
}
