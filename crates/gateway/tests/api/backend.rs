//! A service behind the gateway. It records each request, byte by byte, and misbehaves when the path asks for it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// The request line and the headers.
    pub head: String,
    pub body: Vec<u8>,
}

impl Received {
    /// The method and the target.
    pub fn target(&self) -> &str {
        self.head.split(" HTTP/").next().unwrap()
    }

    /// The values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1);
        let pairs = lines.filter_map(|line| line.split_once(": "));
        pairs
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    /// The value of a header that is present at most once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} is repeated: {}", self.head);
        all.first().copied()
    }
}

/// The backend. It stops when the test ends.
#[derive(Clone)]
pub struct Backend {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    connections: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
    broken_bodies: Arc<AtomicUsize>,
    answering: CancellationToken,
    closing: CancellationToken,
}

impl Backend {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let backend = Self {
            address: listener.local_addr().unwrap(),
            received: Arc::default(),
            connections: Arc::default(),
            ended: Arc::default(),
            broken_bodies: Arc::default(),
            answering: CancellationToken::new(),
            closing: CancellationToken::new(),
        };
        let accepting = backend.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepting.connections.fetch_add(1, Ordering::Relaxed);
                let backend = accepting.clone();
                tokio::spawn(async move { backend.serve(stream).await });
            }
        });
        backend
    }

    /// All requests so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// The only request so far.
    pub fn only(&self) -> Received {
        let received = self.received();
        assert_eq!(received.len(), 1, "{received:#?}");
        received[0].clone()
    }

    /// The last request.
    pub fn last(&self) -> Received {
        self.received().last().expect("a request").clone()
    }

    /// The number of connections that were opened.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The number of connections that ended with a request.
    pub fn ended(&self) -> usize {
        self.ended.load(Ordering::Relaxed)
    }

    /// Answers the requests to `/kept`, and keeps their connections.
    pub fn answer_kept(&self) {
        self.answering.cancel();
    }

    /// Closes the connections that were kept.
    pub fn close_kept(&self) {
        self.closing.cancel();
    }

    /// The number of requests whose bodies broke off.
    pub fn broken_bodies(&self) -> usize {
        self.broken_bodies.load(Ordering::Relaxed)
    }

    async fn serve(&self, mut stream: TcpStream) {
        let mut buffer = Vec::new();
        for number in 0.. {
            let Some(head) = read_head(&mut stream, &mut buffer).await else {
                // Anything that is no request counts as one, so that no test overlooks it.
                if !buffer.is_empty() {
                    self.record(String::from_utf8_lossy(&buffer).into_owned(), Vec::new());
                }
                return;
            };
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            if path.contains("/early") {
                self.record(head, Vec::new());
                respond(&mut stream, "early").await;
                sleep(Duration::from_millis(200)).await;
                return;
            }
            if path.ends_with("/unread") {
                self.record(head, Vec::new());
                sleep(Duration::from_secs(60)).await;
                return;
            }
            if path.ends_with("/kept") {
                self.answering.cancelled().await;
                respond(&mut stream, "kept").await;
                self.closing.cancelled().await;
                drop(stream);
                self.ended.fetch_add(1, Ordering::Relaxed);
                return;
            }
            // A request that breaks off in its body is not complete, so it does not count.
            let Some(body) = read_body(&mut stream, &mut buffer, &head).await else {
                self.broken_bodies.fetch_add(1, Ordering::Relaxed);
                return;
            };
            let received = Received { head, body };
            self.received.lock().unwrap().push(received.clone());
            if !behave(&mut stream, &path, number, &received).await {
                self.ended.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
    }

    fn record(&self, head: String, body: Vec<u8>) {
        self.received.lock().unwrap().push(Received { head, body });
    }
}

async fn read_head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head: Vec<u8> = buffer.drain(..end + 4).collect();
            return Some(String::from_utf8_lossy(&head).into_owned());
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// Reads a body as its framing says. `None` if it breaks off. The framing must be unambiguous.
async fn read_body(stream: &mut TcpStream, buffer: &mut Vec<u8>, head: &str) -> Option<Vec<u8>> {
    let lower = head.to_lowercase();
    let length = lower
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let is_chunked = lower.contains("\r\ntransfer-encoding: chunked\r\n");
    assert!(!(is_chunked && length.is_some()), "both framings: {head}");
    if is_chunked {
        let mut body = Vec::new();
        loop {
            let line = read_line(stream, buffer).await?;
            let size =
                usize::from_str_radix(&line, 16).unwrap_or_else(|_| panic!("a chunk's size: {line:?}"));
            body.extend(read_exactly(stream, buffer, size).await?);
            assert_eq!(
                read_line(stream, buffer).await?,
                "",
                "the end of a chunk, without trailers"
            );
            if size == 0 {
                return Some(body);
            }
        }
    }
    let length = length.map_or(0, |length| length.trim().parse().expect("a length"));
    read_exactly(stream, buffer, length).await
}

async fn read_line(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(2).position(|window| window == b"\r\n") {
            let line: Vec<u8> = buffer.drain(..end + 2).collect();
            return Some(String::from_utf8_lossy(&line[..end]).into_owned());
        }
        if stream.read_buf(buffer).await.unwrap_or(0) == 0 {
            return None;
        }
    }
}

async fn read_exactly(stream: &mut TcpStream, buffer: &mut Vec<u8>, length: usize) -> Option<Vec<u8>> {
    while buffer.len() < length {
        if stream.read_buf(buffer).await.unwrap_or(0) == 0 {
            return None;
        }
    }
    Some(buffer.drain(..length).collect())
}

/// Answers a request. Returns whether the connection stays open.
async fn behave(stream: &mut TcpStream, path: &str, number: usize, received: &Received) -> bool {
    let kind = path.rsplit('/').next().unwrap_or_default();
    match kind.split('?').next().unwrap_or_default() {
        // Ends when the gateway closes the connection.
        "hang" => {
            assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0, "a second request");
            return false;
        }
        "drip-head" => {
            for byte in
                b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n"
            {
                if stream.write_all(&[*byte]).await.is_err() {
                    return false;
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
        "delayed" => {
            sleep(Duration::from_millis(500)).await;
            respond(stream, "delayed").await;
        }
        "hang-body" => {
            send(stream, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
            sleep(Duration::from_secs(60)).await;
        }
        "cut-body" => {
            send(stream, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
            // The gateway passes the beginning on first.
            sleep(Duration::from_millis(100)).await;
            return false;
        }
        "cut-chunks" => {
            send(
                stream,
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            )
            .await;
            sleep(Duration::from_millis(100)).await;
            return false;
        }
        "reset" => {
            stream.set_zero_linger().unwrap();
            return false;
        }
        // Closes the connection without an answer, unless it is the first request on it.
        "once" if number > 0 => return false,
        // An old server, which announces no length.
        "http-1.0" => {
            send(stream, "HTTP/1.0 200 OK\r\n\r\nold").await;
            return false;
        }
        // Answers, and closes the connection a little later without having announced it.
        "then-close" => {
            respond(stream, "closed afterwards").await;
            return false;
        }
        "endless-headers" => {
            send(stream, "HTTP/1.1 200 OK\r\n").await;
            while stream
                .write_all(b"x-more: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n")
                .await
                .is_ok()
            {}
            return false;
        }
        "endless-continue" => {
            while stream
                .write_all(b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n")
                .await
                .is_ok()
            {}
            return false;
        }
        "junk" => {
            send(stream, "this is not HTTP\r\n\r\n").await;
            return false;
        }
        "two-framings" => {
            send(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            )
            .await;
        }
        "extra-response" => {
            send(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfirstHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison",
            )
            .await;
        }
        "hop-by-hop" => {
            send(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: x-inner, keep-alive\r\nx-inner: 1\r\nkeep-alive: timeout=5\r\n\
                 proxy-connection: keep-alive\r\nx-outer: 1\r\naccess-control-allow-origin: *\r\nalt-svc: h2=\"evil.example\"\r\nclear-site-data: \"*\"\r\n\r\nok",
            )
            .await;
        }
        "created" => {
            send(
                stream,
                "HTTP/1.1 201 Created\r\nlocation: /products/7?a=b#c\r\ncontent-length: 0\r\n\r\n",
            )
            .await;
        }
        "elsewhere" => {
            send(
                stream,
                "HTTP/1.1 303 See Other\r\nlocation: https://elsewhere.example/products/7\r\ncontent-length: 0\r\n\r\n",
            )
            .await;
        }
        // A body that looks like a parser's refusal.
        "lookalike" => {
            let body = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
            let length = body.len();
            send(
                stream,
                &format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n"),
            )
            .await;
            sleep(Duration::from_millis(50)).await;
            send(stream, body).await;
        }
        "unmodified" => send(stream, "HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\n\r\n").await,
        "large" => {
            let body = "x".repeat(64 * 1024);
            send(
                stream,
                &format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()),
            )
            .await;
        }
        "events" => {
            send(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
            )
            .await;
            for number in 0..5 {
                sleep(Duration::from_millis(600)).await;
                send(stream, &format!("9\r\ndata: {number}\n\n\r\n")).await;
            }
            send(stream, "0\r\n\r\n").await;
        }
        "ws" => return web_socket(stream, received).await,
        _ => respond(stream, received.header("x-user-id").unwrap_or("anonymous")).await,
    }
    true
}

/// Accepts an upgrade, and then repeats each byte in upper case.
async fn web_socket(stream: &mut TcpStream, received: &Received) -> bool {
    if received.header("upgrade").is_none() {
        respond(stream, "no upgrade").await;
        return true;
    }
    send(
        stream,
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    )
    .await;
    let mut bytes = [0; 128];
    while let Ok(length @ 1..) = stream.read(&mut bytes).await {
        if bytes.starts_with(b"lookalike") {
            send(stream, "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
            continue;
        }
        let upper = bytes[..length].to_ascii_uppercase();
        stream.write_all(&upper).await.unwrap();
    }
    false
}

async fn send(stream: &mut TcpStream, text: &str) {
    drop(stream.write_all(text.as_bytes()).await);
}

/// Answers with the user whom the gateway named.
async fn respond(stream: &mut TcpStream, text: &str) {
    send(
        stream,
        &format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len()),
    )
    .await;
}
