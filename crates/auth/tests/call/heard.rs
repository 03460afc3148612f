//! What a server of the tests hears.

use std::collections::BTreeMap;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// Counted from one.
    pub(crate) number: usize,
    /// On which connection it came, counted from one.
    pub(crate) connection: usize,
    /// `GET /path`.
    pub(crate) what: String,
    headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// The next request of this connection; what of another came with it is left in `rest`.
pub(crate) async fn hear(connection: &mut TcpStream, rest: &mut Vec<u8>) -> std::io::Result<Option<Heard>> {
    let end = loop {
        if let Some(at) = rest.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if connection.read_buf(rest).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8(rest.drain(..end).collect()).unwrap();
    let (what, head) = head.split_once(" HTTP/1.1\r\n").unwrap();
    let headers = head.lines().filter_map(|line| line.split_once(": "));
    let headers: BTreeMap<_, _> = headers
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    while rest.len() < length {
        if connection.read_buf(rest).await? == 0 {
            return Ok(None);
        }
    }
    let body = String::from_utf8(rest.drain(..length).collect()).unwrap();
    Ok(Some(Heard {
        number: 0,
        connection: 0,
        what: what.to_owned(),
        headers,
        body,
    }))
}
