//! A connection on which a test sends what no HTTP library would.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

/// Nothing that is expected to happen takes longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// One connection.
pub(crate) struct Wire {
    stream: TcpStream,
    /// What came, and was not looked at yet.
    rest: Vec<u8>,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) status: u16,
    /// Names in small letters, as the service writes them.
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

    /// Requires a refusal in the one shape.
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        let body: Value = serde_json::from_str(&self.body).expect("JSON");
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
        let sent = timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await;
        sent.expect("a reader").expect("a connection");
    }

    /// Sends while somebody reads, and says whether they still do.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        matches!(
            timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await,
            Ok(Ok(()))
        )
    }

    /// The next answer.
    pub(crate) async fn hear(&mut self) -> Heard {
        self.hear_within(PATIENCE).await
    }

    pub(crate) async fn hear_within(&mut self, patience: Duration) -> Heard {
        timeout(patience, self.next(true))
            .await
            .expect("an answer in time")
    }

    /// The next answer, unless the connection ends before it.
    pub(crate) async fn hear_or_end(&mut self) -> Option<Heard> {
        self.hear_or_end_within(PATIENCE)
            .await
            .expect("an answer, or an end")
    }

    /// As [`hear_or_end`](Self::hear_or_end), within this time.
    pub(crate) async fn hear_or_end_within(&mut self, patience: Duration) -> Result<Option<Heard>, Elapsed> {
        let next = async {
            if self.rest.is_empty() && self.read().await == 0 {
                None
            } else {
                Some(self.next(true).await)
            }
        };
        timeout(patience, next).await
    }

    /// The next answer, which is one to `HEAD`: without a body, whatever length is told.
    pub(crate) async fn hear_head(&mut self) -> Heard {
        timeout(PATIENCE, self.next(false))
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

    /// Requires that the service closes the connection within this time, and says nothing more.
    pub(crate) async fn assert_closed_within(&mut self, patience: Duration) {
        let read = timeout(patience, self.read())
            .await
            .expect("an end of the connection");
        assert_eq!(
            (read, self.rest.as_slice()),
            (0, b"".as_slice()),
            "{}",
            String::from_utf8_lossy(&self.rest)
        );
    }

    /// Requires that a plain request works here.
    pub(crate) async fn assert_works(&mut self) {
        self.send("GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let heard = self.hear().await;
        assert_eq!((heard.status, heard.body.as_str()), (200, r#"{"status":"live"}"#));
    }
}
