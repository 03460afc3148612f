//! An HTTP/1.1 server in front of a fake neighbour. It is written by hand, so that tests can make it fail at any point of a
//! call.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use actix_web::rt;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

/// The fate of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    #[default]
    Healthy,
    /// The port refuses connections.
    Down,
    /// The connection is closed before the call is handled.
    DropBefore,
    /// The call is handled, and the connection closed without a response.
    DropAfter,
    /// The call waits until the behaviour changes, and then gets the new one.
    HangBefore,
    /// The call is handled, and answered when the behaviour changes.
    HangAfter,
    /// The call is handled, and answered after this time.
    Slow(Duration),
    /// The call is answered with this status and body, and not handled.
    Reply(u16, &'static str),
}

/// A parsed HTTP request.
pub struct Request {
    pub method: String,
    pub path: String,
    pub authorization: String,
    pub body: Value,
}

type Handler = dyn Fn(&Request) -> (u16, Value);

/// A neighbour's address, with a behaviour that tests control.
#[derive(Clone)]
pub struct FaultProxy(Rc<Inner>);

struct Inner {
    address: SocketAddr,
    behaviour: watch::Sender<Behaviour>,
    queue: RefCell<VecDeque<Behaviour>>,
    received: Cell<usize>,
    answered: Cell<usize>,
    handler: Box<Handler>,
}

impl FaultProxy {
    pub fn open(handler: impl Fn(&Request) -> (u16, Value) + 'static) -> Self {
        let placeholder = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let proxy = Self(Rc::new(Inner {
            address: placeholder.local_addr().unwrap(),
            behaviour: watch::Sender::default(),
            queue: RefCell::default(),
            received: Cell::default(),
            answered: Cell::default(),
            handler: Box::new(handler),
        }));
        rt::spawn(proxy.clone().run(proxy.listen(), placeholder));
        proxy
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.0.address)
    }

    /// Sets the behaviour of calls from now on, and of those that hang. Returns once new connections see it.
    pub async fn set(&self, behaviour: Behaviour) {
        self.0.behaviour.send_replace(behaviour);
        let is_down = behaviour == Behaviour::Down;
        while TcpStream::connect(self.0.address).await.is_err() != is_down {
            tokio::task::yield_now().await;
        }
    }

    /// Sets the behaviours of the next calls, one each, before [`set`](Self::set) applies again. None of them may be a hanging
    /// one.
    pub fn queue(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.0.queue.borrow_mut().extend(behaviours);
    }

    /// Drops queued behaviours that no call has used.
    pub fn clear_queue(&self) {
        self.0.queue.borrow_mut().clear();
    }

    /// How many requests arrived.
    pub fn received(&self) -> usize {
        self.0.received.get()
    }

    /// How many requests were answered.
    pub fn answered(&self) -> usize {
        self.0.answered.get()
    }

    fn listen(&self) -> TcpListener {
        bind(self.0.address).listen(1024).unwrap()
    }

    /// Accepts connections. The placeholder is bound but does not listen: it reserves the port while the neighbour is down, so
    /// that connections are refused and no other program gets the port.
    async fn run(self, mut listener: TcpListener, _placeholder: TcpSocket) {
        let mut behaviour = self.0.behaviour.subscribe();
        loop {
            tokio::select! {
                stream = listener.accept() => drop(rt::spawn(self.clone().serve(stream.unwrap().0))),
                () = becomes(&mut behaviour, |now| now == Behaviour::Down) => {
                    drop(listener);
                    becomes(&mut behaviour, |now| now != Behaviour::Down).await;
                    listener = self.listen();
                }
            }
        }
    }

    async fn serve(self, mut stream: TcpStream) {
        let Some(request) = read(&mut stream).await else {
            return;
        };
        self.0.received.set(self.0.received.get() + 1);
        let mut changes = self.0.behaviour.subscribe();
        let queued = self.0.queue.borrow_mut().pop_front();
        let mut behaviour = queued.unwrap_or_else(|| *changes.borrow());
        if behaviour == Behaviour::HangBefore {
            becomes(&mut changes, |now| now != behaviour).await;
            behaviour = *changes.borrow();
        }
        let (status, body) = match behaviour {
            Behaviour::Down | Behaviour::DropBefore => return,
            Behaviour::Reply(status, body) => (status, body.to_owned()),
            _ => {
                let (status, body) = (self.0.handler)(&request);
                (status, body.to_string())
            }
        };
        match behaviour {
            Behaviour::DropAfter => return,
            Behaviour::HangAfter => becomes(&mut changes, |now| now != behaviour).await,
            Behaviour::Slow(time) => tokio::time::sleep(time).await,
            _ => {}
        }
        answer(&mut stream, status, &body).await;
        self.0.answered.set(self.0.answered.get() + 1);
    }
}

fn bind(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

async fn becomes(behaviour: &mut watch::Receiver<Behaviour>, wanted: impl Fn(Behaviour) -> bool) {
    drop(behaviour.wait_for(|now| wanted(*now)).await.unwrap());
}

/// Reads one request. Returns `None` if the connection ends before the request is complete.
async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let header = |name: &str| {
                let mut headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
                headers
                    .find(|(found, _)| *found == name)
                    .map_or("", |(_, value)| value)
            };
            if body.len() >= header("content-length").parse().unwrap_or(0) {
                let (method, rest) = head.split_once(' ')?;
                return Some(Request {
                    method: method.to_owned(),
                    path: rest.split(' ').next()?.to_owned(),
                    authorization: header("authorization").to_owned(),
                    body: serde_json::from_str(body).unwrap_or_default(),
                });
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

async fn answer(stream: &mut TcpStream, status: u16, body: &str) {
    // A 204 has no body, not even an empty one (RFC 9110 §15.3.5).
    let body = if status == 204 {
        String::new()
    } else {
        format!(
            "content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let end = if status == 204 { "\r\n" } else { "" };
    let text = format!("HTTP/1.1 {status} Reason\r\nconnection: close\r\n{body}{end}");
    // The client may have disconnected.
    drop(stream.write_all(text.as_bytes()).await);
    drop(stream.shutdown().await);
}
