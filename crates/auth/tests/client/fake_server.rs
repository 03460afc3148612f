//! A scripted server. It runs on its own thread, so that advancing the test's clock does not affect it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;

use crate::received::{ReceivedRequest, receive};
use crate::time::until;

/// The reaction to a request: the bytes to send, and what follows.
#[derive(Clone)]
pub(crate) struct Action {
    bytes: Vec<u8>,
    then: Then,
}

#[derive(Clone)]
enum Then {
    /// Receives the next request.
    Continue,
    /// Closes the connection.
    Close,
    /// Keeps the connection open and sends nothing more.
    Hang,
    /// Sends these bytes repeatedly, with a pause.
    Repeat(Vec<u8>, Duration),
}

/// Responds with this status and body.
pub(crate) fn respond(status: u16, body: &str) -> Action {
    send_bytes(format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

/// Sends these bytes.
pub(crate) fn send_bytes(bytes: impl Into<Vec<u8>>) -> Action {
    Action {
        bytes: bytes.into(),
        then: Then::Continue,
    }
}

/// Never responds.
pub(crate) fn hang() -> Action {
    Action {
        bytes: Vec::new(),
        then: Then::Hang,
    }
}

/// Closes the connection without a response.
pub(crate) fn close() -> Action {
    send_bytes("").then_close()
}

impl Action {
    pub(crate) fn then_close(self) -> Self {
        Self {
            then: Then::Close,
            ..self
        }
    }

    pub(crate) fn then_hang(self) -> Self {
        Self {
            then: Then::Hang,
            ..self
        }
    }

    pub(crate) fn then_repeat(self, bytes: impl Into<Vec<u8>>, pause: Duration) -> Self {
        Self {
            then: Then::Repeat(bytes.into(), pause),
            ..self
        }
    }
}

type Script = Box<dyn FnMut(&ReceivedRequest) -> Action + Send>;

struct State {
    script: Script,
    received: Vec<ReceivedRequest>,
}

/// The server. Dropping it ends its connections.
pub(crate) struct FakeServer {
    pub(crate) address: SocketAddr,
    /// The bound socket, until the server starts to listen.
    socket: Option<TcpSocket>,
    state: Arc<Mutex<State>>,
    stop: Option<oneshot::Sender<()>>,
}

impl FakeServer {
    /// Starts a server with this script.
    pub(crate) fn start(script: impl FnMut(&ReceivedRequest) -> Action + Send + 'static) -> Self {
        let mut fake = Self::stopped(script);
        fake.listen();
        fake
    }

    /// A server whose port refuses connections until [`listen`](Self::listen).
    pub(crate) fn stopped(script: impl FnMut(&ReceivedRequest) -> Action + Send + 'static) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let state = Mutex::new(State {
            script: Box::new(script),
            received: Vec::new(),
        });
        let address = socket.local_addr().unwrap();
        Self {
            address,
            socket: Some(socket),
            state: Arc::new(state),
            stop: None,
        }
    }

    pub(crate) fn listen(&mut self) {
        let (socket, state) = (self.socket.take().unwrap(), Arc::clone(&self.state));
        let (stop, stopped) = oneshot::channel();
        let (started, has_started) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = socket.listen(1024).unwrap();
                started.send(()).unwrap();
                tokio::select! {
                    () = accept(listener, &state) => {}
                    _ = stopped => {}
                }
            });
        });
        has_started.recv().unwrap();
        self.stop = Some(stop);
    }

    /// Replaces the script.
    pub(crate) fn set_script(&self, script: impl FnMut(&ReceivedRequest) -> Action + Send + 'static) {
        self.state.lock().unwrap().script = Box::new(script);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn received(&self) -> Vec<ReceivedRequest> {
        self.state.lock().unwrap().received.clone()
    }

    /// The number of received requests.
    pub(crate) fn count(&self) -> usize {
        self.state.lock().unwrap().received.len()
    }

    /// Waits until `count` requests were received, and requires that there are no more.
    pub(crate) async fn until_received(&self, count: usize) {
        until("requests are received", || self.count() >= count).await;
        assert_eq!(self.count(), count);
    }
}

async fn accept(listener: TcpListener, state: &Arc<Mutex<State>>) {
    for number in 1.. {
        let (connection, _) = listener.accept().await.unwrap();
        let state = Arc::clone(state);
        // A client may close its connection.
        tokio::spawn(async move { serve(connection, number, &state).await.ok() });
    }
}

async fn serve(mut connection: TcpStream, number: usize, state: &Mutex<State>) -> std::io::Result<()> {
    let mut rest = Vec::new();
    while let Some(mut request) = receive(&mut connection, &mut rest).await? {
        let Action { bytes, then } = {
            let mut state = state.lock().unwrap();
            (request.number, request.connection) = (state.received.len() + 1, number);
            state.received.push(request.clone());
            (state.script)(&request)
        };
        connection.write_all(&bytes).await?;
        match then {
            Then::Continue => {}
            Then::Close => return Ok(()),
            Then::Hang => std::future::pending().await,
            Then::Repeat(bytes, pause) => loop {
                connection.write_all(&bytes).await?;
                tokio::time::sleep(pause).await;
            },
        }
    }
    Ok(())
}
