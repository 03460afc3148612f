//! A raw connection, for requests that no HTTP library sends.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

/// How long to wait for what a test expects.
const TIMEOUT: Duration = Duration::from_secs(5);

/// One connection.
pub(crate) struct Wire {
    stream: TcpStream,
    /// Received bytes that no answer has consumed yet.
    rest: Vec<u8>,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines
            .find(|(named, _)| named.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Requires problem details with a detail and the request's id.
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        let body: Value = serde_json::from_str(&self.body).expect("JSON");
        assert!(body.get("detail").is_some_and(Value::is_string), "{self:?}");
        assert_eq!(body.get("code").and_then(Value::as_str), Some(code), "{self:?}");
        assert_eq!(
            body.get("request_id").and_then(Value::as_str),
            self.header("x-request-id"),
            "{self:?}"
        );
    }
}

impl Wire {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(address).await.expect("a connection"),
            rest: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = timeout(TIMEOUT, self.stream.write_all(bytes.as_ref())).await;
        sent.expect("a reader").expect("a connection");
    }

    /// Sends, and returns whether the service still reads.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        matches!(
            timeout(TIMEOUT, self.stream.write_all(bytes.as_ref())).await,
            Ok(Ok(()))
        )
    }

    /// The next answer.
    pub(crate) async fn hear(&mut self) -> Heard {
        self.hear_within(TIMEOUT).await
    }

    pub(crate) async fn hear_within(&mut self, limit: Duration) -> Heard {
        timeout(limit, self.next(true)).await.expect("an answer in time")
    }

    /// The next answer, or `None` if the service closes the connection first.
    pub(crate) async fn hear_or_end(&mut self) -> Option<Heard> {
        self.hear_or_end_within(TIMEOUT)
            .await
            .expect("an answer, or an end")
    }

    /// As [`hear_or_end`](Self::hear_or_end), within this time.
    pub(crate) async fn hear_or_end_within(&mut self, limit: Duration) -> Result<Option<Heard>, Elapsed> {
        let next = async {
            if self.rest.is_empty() && self.read().await == 0 {
                None
            } else {
                Some(self.next(true).await)
            }
        };
        timeout(limit, next).await
    }

    /// The next answer, to a `HEAD` request: its `Content-Length` announces no body.
    pub(crate) async fn hear_head(&mut self) -> Heard {
        timeout(TIMEOUT, self.next(false))
            .await
            .expect("an answer in time")
    }

    async fn next(&mut self, has_body: bool) -> Heard {
        let end = loop {
            if let Some(at) = self.rest.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(
                self.read().await > 0,
                "closed within a head: {:?}",
                String::from_utf8_lossy(&self.rest)
            );
        };
        let head: Vec<u8> = self.rest.drain(..end).collect();
        let head = String::from_utf8(head).expect("a head of text");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .expect("a status");
        let mut answer = Heard {
            status,
            head,
            body: String::new(),
        };
        let length = answer
            .header("content-length")
            .and_then(|length| length.parse().ok())
            .unwrap_or(0);
        let length: usize = if has_body && status >= 200 { length } else { 0 };
        while self.rest.len() < length {
            assert!(self.read().await > 0, "closed within the body of {answer:?}");
        }
        answer.body = String::from_utf8(self.rest.drain(..length).collect()).expect("a body of text");
        answer
    }

    async fn read(&mut self) -> usize {
        self.stream.read_buf(&mut self.rest).await.unwrap_or(0)
    }

    /// Requires that the service closes the connection within this time and sends nothing more.
    pub(crate) async fn assert_closed_within(&mut self, limit: Duration) {
        let read = timeout(limit, self.read())
            .await
            .expect("an end of the connection");
        assert_eq!(
            (read, self.rest.as_slice()),
            (0, b"".as_slice()),
            "{}",
            String::from_utf8_lossy(&self.rest)
        );
    }

    /// Requires that the connection is still usable.
    pub(crate) async fn assert_works(&mut self) {
        self.send("GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let heard = self.hear().await;
        assert_eq!((heard.status, heard.body.as_str()), (200, r#"{"status":"live"}"#));
    }
}
