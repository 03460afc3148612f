//! A scripted publisher of a key set.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use serde_json::Value;

use crate::time::until;

/// The reaction of the publisher to a request.
#[derive(Clone)]
pub enum Response {
    /// Responds with this status line and body.
    Full(&'static str, Vec<u8>),
    /// Responds with the document at the requested path, or with 404.
    ByPath(Vec<(&'static str, Value)>),
    /// Redirects to this URL.
    Redirect(String),
    /// Starts a body and never ends it.
    Stall,
    /// Closes the connection.
    Close,
    /// Waits until another reaction is set.
    Wait,
}

/// Responds with a key set.
pub fn document(jwks: &Value) -> Response {
    Response::Full("200 OK", jwks.to_string().into_bytes())
}

/// A server that publishes a key set.
pub struct Publisher {
    address: SocketAddr,
    shared: Arc<(Mutex<State>, Condvar)>,
}

struct State {
    response: Response,
    requests: usize,
    in_flight: usize,
    max_in_flight: usize,
}

impl Publisher {
    pub fn start(response: Response) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").unwrap(), response)
    }

    pub fn start_on(listener: TcpListener, response: Response) -> Self {
        let state = State {
            response,
            requests: 0,
            in_flight: 0,
            max_in_flight: 0,
        };
        let shared = Arc::new((Mutex::new(state), Condvar::new()));
        let address = listener.local_addr().unwrap();
        let listener_state = Arc::clone(&shared);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let shared = Arc::clone(&listener_state);
                // A client may close its connection.
                std::thread::spawn(move || drop(serve(&connection.unwrap(), &shared)));
            }
        });
        Self { address, shared }
    }

    pub fn url(&self) -> String {
        self.url_of("/.well-known/jwks.json")
    }

    pub fn url_of(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn set_response(&self, response: Response) {
        self.shared.0.lock().unwrap().response = response;
        self.shared.1.notify_all();
    }

    /// The number of requests so far.
    pub fn requests(&self) -> usize {
        self.shared.0.lock().unwrap().requests
    }

    /// The largest number of concurrent requests so far.
    pub fn max_in_flight(&self) -> usize {
        self.shared.0.lock().unwrap().max_in_flight
    }

    /// Waits until there were `count` requests, and requires that there are no more.
    pub async fn until_requested(&self, count: usize) {
        until("requests are received", || self.requests() >= count).await;
        assert_eq!(self.requests(), count);
    }
}

fn serve(connection: &TcpStream, (state, changed): &(Mutex<State>, Condvar)) -> std::io::Result<()> {
    let mut request = BufReader::new(connection).lines();
    let first_line = request.next().transpose()?.unwrap_or_default();
    let path = first_line.split(' ').nth(1).unwrap_or_default();
    while request.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let mut guard = state.lock().unwrap();
    guard.requests += 1;
    guard.in_flight += 1;
    guard.max_in_flight = guard.max_in_flight.max(guard.in_flight);
    let mut guard = changed
        .wait_while(guard, |state| matches!(state.response, Response::Wait))
        .unwrap();
    guard.in_flight -= 1;
    let response = guard.response.clone();
    drop(guard);

    let mut out = connection;
    match response {
        Response::Full(status, body) => write_document(out, status, &body),
        Response::ByPath(documents) => match documents.iter().find(|(known, _)| *known == path) {
            Some((_, document)) => write_document(out, "200 OK", document.to_string().as_bytes()),
            None => write_document(out, "404 Not Found", b""),
        },
        Response::Redirect(to) => {
            write!(
                out,
                "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            )
        }
        Response::Stall => {
            write!(out, "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{{\"keys\":[")?;
            // Returns when the client closes the connection.
            request.next().transpose().map(drop)
        }
        Response::Close | Response::Wait => Ok(()),
    }
}

fn write_document(mut out: &TcpStream, status: &str, body: &[u8]) -> std::io::Result<()> {
    write!(
        out,
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )?;
    out.write_all(body)
}
