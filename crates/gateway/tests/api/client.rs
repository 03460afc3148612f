//! A client that writes its requests byte by byte.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// How long anything may take.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A client of the gateway at this address.
#[derive(Clone, Copy, Debug)]
pub struct Client(pub SocketAddr);

impl Client {
    /// Opens a connection.
    pub async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.0).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Sends bytes on a new connection, and returns everything up to the end of the connection.
    pub async fn raw(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        // The gateway may refuse the request before it has read all of it.
        drop(stream.write_all(bytes.as_ref()).await);
        read_to_end(&mut stream).await
    }

    /// Sends one request with these lines in its head.
    pub async fn get(&self, path: &str, lines: &[&str]) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1"), lines, "").await
    }

    /// Sends one request, and asks for the end of the connection.
    pub async fn send(&self, request_line: &str, lines: &[&str], body: &str) -> Answer {
        let mut head = format!("{request_line}\r\nhost: localhost\r\nconnection: close\r\n");
        for line in lines {
            head.push_str(line);
            head.push_str("\r\n");
        }
        Answer::parse(&self.raw(format!("{head}\r\n{body}")).await)
    }
}

/// A response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn parse(text: &str) -> Self {
        let (head, body) = text
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("no response: {text:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Self {
            status: status.unwrap_or_else(|| panic!("no status: {text:?}")),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = lines
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value);
        let value = values.next();
        assert_eq!(values.next(), None, "{name} is repeated: {}", self.head);
        value
    }

    /// The values of a header that may be repeated.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    /// Asserts that this is a refusal of the gateway, with this status and code.
    #[track_caller]
    pub fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        let problem: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem["code"], code);
        assert_eq!(problem["status"], status);
        assert_eq!(problem["request_id"], self.header("x-request-id").unwrap());
    }

    /// Asserts that this response came from the backend, which returns the user that the gateway named.
    #[track_caller]
    pub fn assert_forwarded(&self, user: &str) {
        assert_eq!((self.status, self.body.as_str()), (200, user), "{self:?}");
    }
}

/// Waits until this holds.
pub async fn eventually(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, waiting).await.expect("it holds in the end");
}

/// Reads up to the end of the connection.
pub async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(DEADLINE, stream.read_to_end(&mut bytes)).await;
    // A reset is an end, too.
    drop(read.expect("the connection ends"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads until this text has arrived.
pub async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut bytes = Vec::new();
    while !String::from_utf8_lossy(&bytes).contains(text) {
        let read = timeout(DEADLINE, stream.read_buf(&mut bytes))
            .await
            .expect("bytes arrive")
            .unwrap();
        assert!(
            read > 0,
            "ended without {text:?}: {}",
            String::from_utf8_lossy(&bytes)
        );
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
