//! A server that does what a test tells it to, on a thread of its own, so that it goes on while the test's time is moved.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;

use crate::heard::{Heard, hear};
use crate::house::until;

/// What is done about a request: these bytes are sent, and then?
#[derive(Clone)]
pub(crate) struct Does {
    bytes: Vec<u8>,
    then: Then,
}

#[derive(Clone)]
enum Then {
    Listens,
    HangsUp,
    Hangs,
    /// Sends this again and again, with such a pause.
    Repeats(Vec<u8>, Duration),
}

pub(crate) fn says(status: u16, body: &str) -> Does {
    sends(format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

pub(crate) fn sends(bytes: impl Into<Vec<u8>>) -> Does {
    Does {
        bytes: bytes.into(),
        then: Then::Listens,
    }
}

pub(crate) fn hangs() -> Does {
    Does {
        bytes: Vec::new(),
        then: Then::Hangs,
    }
}

pub(crate) fn hangs_up() -> Does {
    sends("").and_hangs_up()
}

impl Does {
    pub(crate) fn and_hangs_up(self) -> Self {
        Self {
            then: Then::HangsUp,
            ..self
        }
    }

    pub(crate) fn and_hangs(self) -> Self {
        Self {
            then: Then::Hangs,
            ..self
        }
    }

    pub(crate) fn and_repeats(self, bytes: impl Into<Vec<u8>>, pause: Duration) -> Self {
        Self {
            then: Then::Repeats(bytes.into(), pause),
            ..self
        }
    }
}

type Script = Box<dyn FnMut(&Heard) -> Does + Send>;

struct State {
    script: Script,
    heard: Vec<Heard>,
}

/// The server. Its port refuses connections until it is woken, and its connections end when it is dropped.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    asleep: Option<TcpSocket>,
    state: Arc<Mutex<State>>,
    stop: Option<oneshot::Sender<()>>,
}

impl Fake {
    pub(crate) fn that(script: impl FnMut(&Heard) -> Does + Send + 'static) -> Self {
        let mut fake = Self::asleep(script);
        fake.wake();
        fake
    }

    pub(crate) fn asleep(script: impl FnMut(&Heard) -> Does + Send + 'static) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let state = Mutex::new(State {
            script: Box::new(script),
            heard: Vec::new(),
        });
        let address = socket.local_addr().unwrap();
        Self {
            address,
            asleep: Some(socket),
            state: Arc::new(state),
            stop: None,
        }
    }

    pub(crate) fn wake(&mut self) {
        let (socket, state) = (self.asleep.take().unwrap(), Arc::clone(&self.state));
        let (stop, stopped) = oneshot::channel();
        let (listening, listens) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = socket.listen(1024).unwrap();
                listening.send(()).unwrap();
                tokio::select! {
                    () = accept(listener, &state) => {}
                    _ = stopped => {}
                }
            });
        });
        listens.recv().unwrap();
        self.stop = Some(stop);
    }

    /// Does this from now on.
    pub(crate) fn now(&self, script: impl FnMut(&Heard) -> Does + Send + 'static) {
        self.state.lock().unwrap().script = Box::new(script);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.state.lock().unwrap().heard.clone()
    }

    /// How many requests came.
    pub(crate) fn count(&self) -> usize {
        self.state.lock().unwrap().heard.len()
    }

    /// Waits until so many have come in all, and no more.
    pub(crate) async fn until_heard(&self, count: usize) {
        until("heard", || self.count() >= count).await;
        assert_eq!(self.count(), count);
    }
}

async fn accept(listener: TcpListener, state: &Arc<Mutex<State>>) {
    for number in 1.. {
        let (connection, _) = listener.accept().await.unwrap();
        let state = Arc::clone(state);
        // A client that hangs up on its own account is no matter here.
        tokio::spawn(async move { serve(connection, number, &state).await.ok() });
    }
}

async fn serve(mut connection: TcpStream, number: usize, state: &Mutex<State>) -> std::io::Result<()> {
    let mut rest = Vec::new();
    while let Some(mut heard) = hear(&mut connection, &mut rest).await? {
        let Does { bytes, then } = {
            let mut state = state.lock().unwrap();
            (heard.number, heard.connection) = (state.heard.len() + 1, number);
            state.heard.push(heard.clone());
            (state.script)(&heard)
        };
        connection.write_all(&bytes).await?;
        match then {
            Then::Listens => {}
            Then::HangsUp => return Ok(()),
            Then::Hangs => std::future::pending().await,
            Then::Repeats(bytes, pause) => loop {
                connection.write_all(&bytes).await?;
                tokio::time::sleep(pause).await;
            },
        }
    }
    Ok(())
}
