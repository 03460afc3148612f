//! Just enough of HTTP/1.1 to ask a service on this machine and to read its answer. A whole client costs several times what is
//! measured, and would be the limit.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Failure;

const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// A connection that is kept.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer<'w> {
    pub status: u16,
    pub body: &'w [u8],
}

impl Wire {
    pub(crate) async fn open(port: u16) -> Result<Self, Failure> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            received: Vec::new(),
        })
    }

    /// Sends a whole request, and waits for the whole answer.
    pub(crate) async fn ask(&mut self, request: &str) -> Result<Answer<'_>, Failure> {
        let head = tokio::time::timeout(ANSWERED_WITHIN, self.exchange(request)).await??;
        let body = self
            .received
            .get(head.body..head.body + head.length)
            .unwrap_or_default();
        Ok(Answer {
            status: head.status,
            body,
        })
    }

    async fn exchange(&mut self, request: &str) -> Result<Head, Failure> {
        self.stream.write_all(request.as_bytes()).await?;
        self.received.clear();
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err("a connection was closed before the answer".into());
            }
            match Head::read(&self.received)? {
                Some(head) if self.received.len() >= head.body + head.length => return Ok(head),
                _ => {}
            }
        }
    }
}

/// What stands before an answer's body.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Where the body begins, and how long it is.
    body: usize,
    length: usize,
}

impl Head {
    /// Reads the head of an answer, if all of it is there.
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
                return Err("an answer whose length is not said".into());
            }
        }
        Ok(Some(Self {
            status,
            body: end + END.len(),
            length,
        }))
    }
}

/// A request for something.
pub(crate) fn get(path: &str, token: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n\r\n")
}

/// A request with a JSON body.
pub(crate) fn post_json(path: &str, body: &serde_json::Value) -> String {
    post(path, "content-type: application/json", &body.to_string())
}

/// A request with a body, and with these further lines in its head.
pub(crate) fn post(path: &str, lines: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{lines}\r\ncontent-length: {length}\r\n\r\n{body}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_once_its_head_is_there() {
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
    fn an_answer_without_a_body_has_none_and_one_of_unknown_length_is_refused() {
        let head = Head::read(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().unwrap();
        assert_eq!((head.status, head.length), (204, 0));
        assert!(Head::read(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert!(Head::read(b"garbage\r\n\r\n").is_err());
    }
}
