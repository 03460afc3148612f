//! Requests as the fake server receives them.

use std::collections::BTreeMap;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// A received request.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedRequest {
    /// The position among all requests, from 1.
    pub(crate) number: usize,
    /// The number of its connection, from 1.
    pub(crate) connection: usize,
    /// `GET /path`.
    pub(crate) line: String,
    headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl ReceivedRequest {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// Receives the next request of a connection, or `None` at its end. Bytes of a further request stay in `rest`.
pub(crate) async fn receive(
    connection: &mut TcpStream,
    rest: &mut Vec<u8>,
) -> std::io::Result<Option<ReceivedRequest>> {
    let end = loop {
        if let Some(at) = rest.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if connection.read_buf(rest).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8(rest.drain(..end).collect()).unwrap();
    let (line, head) = head.split_once(" HTTP/1.1\r\n").unwrap();
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
    Ok(Some(ReceivedRequest {
        number: 0,
        connection: 0,
        line: line.to_owned(),
        headers,
        body,
    }))
}
