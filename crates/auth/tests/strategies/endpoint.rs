//! A scripted introspection endpoint.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The reaction of the endpoint to a request.
#[derive(Clone, Debug)]
pub enum Reaction {
    /// Responds with this status line and body.
    Respond(&'static str, String),
    /// Never responds.
    Hang,
    /// Sends the headers and never the body.
    Stall,
    /// Closes the connection.
    Close,
}

/// Responds with this body.
pub fn ok(body: &str) -> Reaction {
    Reaction::Respond("200 OK", body.to_owned())
}

/// A received request.
#[derive(Clone, Debug)]
pub struct Received {
    /// The number of the connection, from 0.
    pub connection: usize,
    /// The request line and the headers.
    pub head: Vec<String>,
    pub body: String,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        let prefix = format!("{name}: ");
        let mut values = self.head.iter().filter_map(|line| line.strip_prefix(&prefix));
        let value = values.next().unwrap();
        assert_eq!(values.next(), None, "{name} twice");
        value
    }
}

pub struct Endpoint {
    address: SocketAddr,
    state: Arc<Mutex<(Reaction, Vec<Received>)>>,
}

impl Endpoint {
    pub fn start(reaction: Reaction) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new((reaction, Vec::new())));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for (number, connection) in listener.incoming().enumerate() {
                let state = Arc::clone(&shared);
                // A client may close its connection.
                std::thread::spawn(move || drop(serve(&connection.unwrap(), number, &state)));
            }
        });
        Self { address, state }
    }

    pub fn url(&self) -> String {
        format!("http://{}/oauth/introspect", self.address)
    }

    pub fn set(&self, reaction: Reaction) {
        self.state.lock().unwrap().0 = reaction;
    }

    pub fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap().1.clone()
    }
}

fn serve(
    connection: &TcpStream,
    number: usize,
    state: &Mutex<(Reaction, Vec<Received>)>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line == "\r\n" {
                break;
            }
            head.push(line.trim_end().to_owned());
        }
        let received = Received {
            connection: number,
            head,
            body: String::new(),
        };
        let mut body = vec![0; received.header("content-length").parse().unwrap()];
        reader.read_exact(&mut body)?;
        let body = String::from_utf8(body).unwrap();

        let reaction = {
            let mut state = state.lock().unwrap();
            state.1.push(Received { body, ..received });
            state.0.clone()
        };
        let mut out = connection;
        match reaction {
            Reaction::Respond(status, body) => {
                // A redirect leads to a place that would call the token active.
                let location = "location: /oauth/introspect\r\n";
                let length = body.len();
                let head = format!("HTTP/1.1 {status}\r\n{location}content-length: {length}\r\n\r\n");
                // In one piece, because the client acknowledges the first of several small pieces only after a delay.
                out.write_all((head + &body).as_bytes())?;
            }
            // Returns when the client closes the connection.
            Reaction::Hang => {
                reader.read_line(&mut String::new())?;
            }
            Reaction::Stall => {
                write!(out, "HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{{\"active\":")?;
                reader.read_line(&mut String::new())?;
            }
            Reaction::Close => return Ok(()),
        }
    }
}
