//! The behaviour of the backend, which the last segment of the path chooses.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::received::Received;

/// Answers a request. Returns whether the connection stays open.
pub(super) async fn behave(stream: &mut TcpStream, path: &str, number: usize, received: &Received) -> bool {
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
        "cookies" => {
            send(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nset-cookie: countersign_access=a; Path=/\r\n\
                 set-cookie: __Host-countersign-refresh=a; Path=/; Secure\r\nset-cookie: theme=dark\r\n\r\n",
            )
            .await;
        }
        "failing" => {
            send(
                stream,
                "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
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
        // The user whom the gateway named.
        _ => respond(stream, received.header("x-user-id").unwrap_or("anonymous")).await,
    }
    true
}

/// Accepts an upgrade, and then repeats each byte in upper case. To `lookalike` it sends what looks like a parser's refusal.
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

/// Answers with this text.
pub(super) async fn respond(stream: &mut TcpStream, text: &str) {
    send(
        stream,
        &format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len()),
    )
    .await;
}
