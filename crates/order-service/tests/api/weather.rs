//! A neighbour's front door: HTTP/1.1 by hand, so that it can fail in every way that there is.

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

/// What becomes of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weather {
    #[default]
    Fair,
    /// Nobody listens.
    Away,
    /// The connection breaks before anything is done.
    LostBefore,
    /// The connection breaks once it is done.
    LostAfter,
    /// Nothing is done until the weather changes, and then whatever that brings.
    HangsBefore,
    /// It is done, and not answered until the weather changes.
    HangsAfter,
    /// It is done, and answered after a while.
    Slow(Duration),
    /// This is the answer, and nothing is done.
    Says(u16, &'static str),
}

/// What somebody asked.
pub struct Asked {
    pub method: String,
    pub path: String,
    pub authorization: String,
    pub body: Value,
}

type Answers = dyn Fn(&Asked) -> (u16, Value);

/// A neighbour at an address of its own.
#[derive(Clone)]
pub struct Door(Rc<Inner>);

struct Inner {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    forecast: RefCell<VecDeque<Weather>>,
    arrived: Cell<usize>,
    answered: Cell<usize>,
    answers: Box<Answers>,
}

impl Door {
    pub fn open(answers: impl Fn(&Asked) -> (u16, Value) + 'static) -> Self {
        let placeholder = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let door = Self(Rc::new(Inner {
            address: placeholder.local_addr().unwrap(),
            weather: watch::Sender::default(),
            forecast: RefCell::default(),
            arrived: Cell::default(),
            answered: Cell::default(),
            answers: Box::new(answers),
        }));
        rt::spawn(door.clone().keep(door.listen(), placeholder));
        door
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.0.address)
    }

    /// From here on, calls fare so, those that hang included.
    pub async fn is_now(&self, weather: Weather) {
        self.0.weather.send_replace(weather);
        let is_away = weather == Weather::Away;
        while TcpStream::connect(self.0.address).await.is_err() != is_away {
            tokio::task::yield_now().await;
        }
    }

    /// The next calls fare so, whatever the weather; none of them may hang.
    pub fn expects(&self, forecast: impl IntoIterator<Item = Weather>) {
        self.0.forecast.borrow_mut().extend(forecast);
    }

    /// Takes back what [`expects`](Self::expects) said and did not come about.
    pub fn expects_nothing(&self) {
        self.0.forecast.borrow_mut().clear();
    }

    /// How many calls came, whatever became of them.
    pub fn arrived(&self) -> usize {
        self.0.arrived.get()
    }

    /// How many of them were answered.
    pub fn answered(&self) -> usize {
        self.0.answered.get()
    }

    fn listen(&self) -> TcpListener {
        bind(self.0.address).listen(1024).unwrap()
    }

    /// The placeholder keeps the port while nobody listens there, so that nobody else gets it: connections are refused.
    async fn keep(self, mut listener: TcpListener, _placeholder: TcpSocket) {
        let mut weather = self.0.weather.subscribe();
        loop {
            tokio::select! {
                stream = listener.accept() => drop(rt::spawn(self.clone().serve(stream.unwrap().0))),
                () = becomes(&mut weather, |now| now == Weather::Away) => {
                    drop(listener);
                    becomes(&mut weather, |now| now != Weather::Away).await;
                    listener = self.listen();
                }
            }
        }
    }

    async fn serve(self, mut stream: TcpStream) {
        let Some(asked) = read(&mut stream).await else {
            return;
        };
        self.0.arrived.set(self.0.arrived.get() + 1);
        let mut changes = self.0.weather.subscribe();
        let expected = self.0.forecast.borrow_mut().pop_front();
        let mut weather = expected.unwrap_or_else(|| *changes.borrow());
        if weather == Weather::HangsBefore {
            becomes(&mut changes, |now| now != weather).await;
            weather = *changes.borrow();
        }
        let (status, body) = match weather {
            Weather::Away | Weather::LostBefore => return,
            Weather::Says(status, body) => (status, body.to_owned()),
            _ => {
                let (status, body) = (self.0.answers)(&asked);
                (status, body.to_string())
            }
        };
        match weather {
            Weather::LostAfter => return,
            Weather::HangsAfter => becomes(&mut changes, |now| now != weather).await,
            Weather::Slow(time) => tokio::time::sleep(time).await,
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

async fn becomes(weather: &mut watch::Receiver<Weather>, wanted: impl Fn(Weather) -> bool) {
    drop(weather.wait_for(|now| wanted(*now)).await.unwrap());
}

/// Nothing where no whole request came.
async fn read(stream: &mut TcpStream) -> Option<Asked> {
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
                return Some(Asked {
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
    // Not even an empty body may come with 204 (RFC 9110 §15.3.5).
    let body = if status == 204 {
        String::new()
    } else {
        format!(
            "content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let end = if status == 204 { "\r\n" } else { "" };
    let text = format!("HTTP/1.1 {status} So\r\nconnection: close\r\n{body}{end}");
    // Whoever asked may be gone.
    drop(stream.write_all(text.as_bytes()).await);
    drop(stream.shutdown().await);
}
