//! A listening socket that closes without losing a connection.
//!
//! A client is connected as soon as the kernel has put its connection into the socket's queue. Closing the socket resets the
//! connections in the queue and those on the way to it. So at shutdown the kernel ignores new clients first, and the socket
//! closes when its queue stays empty. Ignored clients try again after a second, and find the port closed.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use crate::shutdown::Shutdown;

/// The length of the queue. When it is full, the kernel ignores the end of a handshake, so that a client is connected whose
/// connection is not in the queue. The kernel may have a lower limit (`net.core.somaxconn`).
const MAX_QUEUE: i32 = 4_096;
/// How long the queue must stay empty before the socket closes. By then the connections have arrived whose handshakes were
/// under way, from clients whose round trip is shorter.
const HANDSHAKE_TIME: Duration = Duration::from_millis(50);
/// How long the queue may take to become empty. Only where new clients can't be ignored does it fill again.
const MAX_CLOSING_TIME: Duration = Duration::from_secs(2);
/// The pause after an error that the next attempt would probably meet too, such as too many open files.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// A listening socket that accepts connections until shutdown is requested, the delay is over, and its queue is empty.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    shutdown: Shutdown,
    closing: Option<Closing>,
}

/// The socket is about to close.
#[derive(Clone, Copy, Debug)]
struct Closing {
    /// How long the queue must stay empty.
    quiet_time: Duration,
    deadline: Instant,
}

impl Listener {
    /// Call it inside a tokio runtime.
    ///
    /// # Errors
    /// When the socket does not listen or can't be registered with the runtime.
    pub fn new(socket: std::net::TcpListener, shutdown: Shutdown) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        rustix::net::listen(&socket, MAX_QUEUE)?;
        // A program that used the same socket before may have left its filter.
        heed_new_clients(&socket);
        Ok(Self {
            socket: TcpListener::from_std(socket)?,
            shutdown,
            closing: None,
        })
    }

    /// The next connection, with the client's address. `None` after the last one at shutdown: then drop this listener at once.
    /// Logs errors and tries again. Cancelling it loses no connection.
    pub async fn accept(&mut self) -> Option<(TcpStream, SocketAddr)> {
        loop {
            let accepted = match self.closing {
                Some(closing) if Instant::now() > closing.deadline => return None,
                Some(closing) => timeout(closing.quiet_time, self.socket.accept()).await.ok()?,
                None => tokio::select! {
                    biased;
                    () = self.shutdown.delay_over() => {
                        self.closing = Some(Closing::begin(&self.socket));
                        continue;
                    }
                    accepted = self.socket.accept() => accepted,
                },
            };
            match accepted {
                Ok((stream, address)) => {
                    send_at_once(&stream);
                    return Some((stream, address));
                }
                Err(error) if concerns_one_connection(&error) => {
                    tracing::debug!(%error, "connection lost in the queue");
                }
                Err(error) => {
                    tracing::error!(%error, "can't accept connections");
                    tokio::select! {
                        () = sleep(RETRY_DELAY) => {}
                        () = self.shutdown.delay_over(), if self.closing.is_none() => {}
                    }
                }
            }
        }
    }
}

/// Sends small packets at once. Without that, a response or an event could wait 40 ms for the client's acknowledgement.
fn send_at_once(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "can't set TCP_NODELAY");
    }
}

impl Closing {
    fn begin(socket: &TcpListener) -> Self {
        Self {
            quiet_time: match ignore_new_clients(socket) {
                Ok(()) => HANDSHAKE_TIME,
                Err(error) => {
                    tracing::debug!(%error, "new clients connect until the socket closes");
                    Duration::ZERO
                }
            },
            deadline: Instant::now() + MAX_CLOSING_TIME,
        }
    }
}

fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

/// Makes the kernel drop the first segment of each new connection. Handshakes under way continue.
#[cfg(target_os = "linux")]
fn ignore_new_clients(socket: &TcpListener) -> io::Result<()> {
    use socket2::{SockFilter, SockRef};

    /// Classic BPF (`linux/bpf_common.h`). The data begins at the TCP header.
    const LOAD_BYTE: u16 = 0x30;
    const AND: u16 = 0x54;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    /// The position and the bits of the flags (RFC 9293 §3.1).
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;

    SockRef::from(socket).attach_filter(&[
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS),
        SockFilter::new(AND, 0, 0, SYN | ACK),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ])
}

/// The opposite of [`ignore_new_clients`].
#[cfg(target_os = "linux")]
fn heed_new_clients(socket: &std::net::TcpListener) {
    // An error means that there is no filter.
    drop(socket2::SockRef::from(socket).detach_filter());
}

#[cfg(not(target_os = "linux"))]
fn ignore_new_clients(_: &TcpListener) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
fn heed_new_clients(_: &std::net::TcpListener) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpStream as BlockingStream;
    use std::thread;

    use tokio::sync::oneshot;

    use super::*;

    fn listen(shutdown: &Shutdown) -> io::Result<(Listener, SocketAddr)> {
        let socket = std::net::TcpListener::bind("127.0.0.1:0")?;
        let address = socket.local_addr()?;
        Ok((Listener::new(socket, shutdown.clone())?, address))
    }

    /// Connects as often as possible, and returns the number of connections when the port is closed.
    fn connect_until_refused(address: SocketAddr) -> usize {
        let mut connections = Vec::new();
        while let Ok(connection) = BlockingStream::connect(address) {
            connections.push(connection);
        }
        connections.len()
    }

    #[tokio::test]
    async fn every_connection_is_accepted_before_the_socket_closes() {
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = Shutdown::when(async { drop(stopped.await) });
        let (mut listener, address) = listen(&shutdown).unwrap();
        let clients: Vec<_> = (0..4)
            .map(|_| thread::spawn(move || connect_until_refused(address)))
            .collect();
        let mut accepted = Vec::new();
        while accepted.len() < 100 {
            let (stream, address) = listener.accept().await.unwrap();
            assert!(stream.nodelay().unwrap());
            accepted.push((stream, address));
        }
        drop(stop);
        while let Some(connection) = listener.accept().await {
            accepted.push(connection);
        }
        drop(listener);
        let connected: usize = clients.into_iter().map(|client| client.join().unwrap()).sum();
        assert_eq!(accepted.len(), connected);
    }

    #[tokio::test]
    async fn the_queue_is_emptied_and_new_clients_wait_when_shutdown_is_requested() {
        let shutdown = Shutdown::when(async {});
        let (mut listener, address) = listen(&shutdown).unwrap();
        let queued: Vec<_> = (0..20)
            .map(|_| BlockingStream::connect(address).unwrap())
            .collect();
        shutdown.delay_over().await;
        assert!(listener.accept().await.is_some());
        let late = timeout(Duration::from_millis(20), TcpStream::connect(address)).await;
        assert!(late.is_err(), "{late:?}");
        for _ in 1..queued.len() {
            assert!(listener.accept().await.is_some());
        }
        assert!(listener.accept().await.is_none());
    }

    #[tokio::test]
    async fn a_socket_that_outlives_its_listener_can_be_used_again() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let shutdown = Shutdown::when(async {});
        let mut listener = Listener::new(socket.try_clone().unwrap(), shutdown).unwrap();
        assert!(listener.accept().await.is_none());
        drop(listener);
        let mut listener = Listener::new(socket, Shutdown::default()).unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        assert_eq!(client.unwrap().local_addr().unwrap(), accepted.unwrap().1);
    }

    #[tokio::test]
    async fn connections_are_accepted_during_the_delay() {
        let shutdown = Shutdown::when(async {}).with_delay(Duration::from_secs(3_600));
        let (mut listener, address) = listen(&shutdown).unwrap();
        shutdown.requested().await;
        for _ in 0..3 {
            let _client = BlockingStream::connect(address).unwrap();
            assert!(listener.accept().await.is_some());
        }
        assert!(timeout(HANDSHAKE_TIME * 2, listener.accept()).await.is_err());
    }
}
