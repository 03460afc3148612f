//! A minimal HTTP/1.1 client for services on this machine. A full client would cost several times the measured work and be the
//! limit.

use std::fmt::Debug;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::Failure;

const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// A persistent connection.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    received: Vec<u8>,
}

/// A connection, with or without TLS.
trait Stream: AsyncRead + AsyncWrite + Unpin + Debug {}

impl<T: AsyncRead + AsyncWrite + Unpin + Debug> Stream for T {}

/// A response.
#[derive(Debug)]
pub(crate) struct Response<'w> {
    pub status: u16,
    pub body: &'w [u8],
}

impl Wire {
    pub(crate) async fn open(port: u16) -> Result<Self, Failure> {
        Ok(Self::new(connect(port).await?))
    }

    /// Opens a connection with TLS, to a server that calls itself `localhost`.
    pub(crate) async fn open_tls(port: u16, connector: &TlsConnector) -> Result<Self, Failure> {
        let name = ServerName::try_from("localhost")?;
        Ok(Self::new(connector.connect(name, connect(port).await?).await?))
    }

    fn new(stream: impl Stream + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            received: Vec::new(),
        }
    }

    /// Sends a request, and reads the response.
    pub(crate) async fn send(&mut self, request: &str) -> Result<Response<'_>, Failure> {
        self.send_bytes(request.as_bytes()).await
    }

    /// Like [`send`](Self::send), for a request with a body that is not text.
    pub(crate) async fn send_bytes(&mut self, request: &[u8]) -> Result<Response<'_>, Failure> {
        let head = tokio::time::timeout(RESPONSE_TIMEOUT, self.exchange(request)).await??;
        let body = self
            .received
            .get(head.body..head.body + head.length)
            .unwrap_or_default();
        Ok(Response {
            status: head.status,
            body,
        })
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Head, Failure> {
        self.stream.write_all(request).await?;
        // TLS keeps what the connection does not accept at once.
        self.stream.flush().await?;
        self.received.clear();
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err("the connection was closed before the response".into());
            }
            match Head::read(&self.received)? {
                Some(head) if self.received.len() >= head.body + head.length => return Ok(head),
                _ => {}
            }
        }
    }
}

async fn connect(port: u16) -> Result<TcpStream, Failure> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The head of a response.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// The offset and the length of the body.
    body: usize,
    length: usize,
}

impl Head {
    /// Parses the head of a response, if it is complete.
    fn read(received: &[u8]) -> Result<Option<Self>, Failure> {
        const END: &[u8] = b"\r\n\r\n";
        let Some(end) = received.windows(END.len()).position(|bytes| bytes == END) else {
            return Ok(None);
        };
        let mut lines = std::str::from_utf8(received.get(..end).unwrap_or_default())?.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1))
            .ok_or("no status line")?
            .parse()?;
        let mut length = 0;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse()?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err("a response without a content length".into());
            }
        }
        Ok(Some(Self {
            status,
            body: end + END.len(),
            length,
        }))
    }
}

/// A GET request.
pub(crate) fn get(path: &str, token: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n\r\n")
}

/// A POST request with a JSON body.
pub(crate) fn post_json(path: &str, body: &serde_json::Value) -> String {
    post(path, "content-type: application/json", &body.to_string())
}

/// A POST request with a body and additional header lines.
pub(crate) fn post(path: &str, lines: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{lines}\r\ncontent-length: {length}\r\n\r\n{body}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_parsed_when_its_head_is_complete() {
        let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nx: y:z\r\n\r\n{}";
        let whole = Head {
            status: 201,
            body: answer.len() - 2,
            length: 2,
        };
        for received in 0..answer.len() - 2 {
            assert_eq!(Head::read(&answer[..received]).unwrap(), None, "{received}");
        }
        assert_eq!(
            Head::read(&answer[..answer.len() - 2]).unwrap().as_ref(),
            Some(&whole)
        );
        assert_eq!(Head::read(answer).unwrap(), Some(whole));
    }

    #[test]
    fn a_204_has_no_body_and_an_unknown_length_is_refused() {
        let head = Head::read(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().unwrap();
        assert_eq!((head.status, head.length), (204, 0));
        assert!(Head::read(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert!(Head::read(b"garbage\r\n\r\n").is_err());
    }
}
