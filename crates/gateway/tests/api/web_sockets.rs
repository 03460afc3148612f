//! WebSockets pass where a route allows them.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

use crate::client::{DEADLINE, read_to_end, read_until};
use crate::test_gateway::TestGateway;

const UPGRADE: &str =
    "connection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\nsec-websocket-version: 13\r\n";

#[actix_web::test]
async fn bytes_pass_in_both_directions() {
    let gateway = TestGateway::open().await;
    let user = gateway.issuer.as_user();
    let mut stream = gateway.connect().await;
    let request = format!(
        "GET /api/socket/ws HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\nx-user-id: forged\r\n{UPGRADE}\r\n",
        user.token()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let head = read_until(&mut stream, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    for (sent, received) in [
        ("hello", "HELLO"),
        ("GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"),
        // Bytes that look like a parser's refusal.
        (
            "lookalike",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
        ),
    ] {
        stream.write_all(sent.as_bytes()).await.unwrap();
        read_until(&mut stream, received).await;
    }
    let received = gateway.backend.only();
    assert_eq!(
        received.header("x-user-id"),
        Some(user.user().id().to_string().as_str())
    );
    assert_eq!(received.header("upgrade"), Some("WebSocket"));
    assert_eq!(received.header("connection"), Some("upgrade"));
}

#[actix_web::test]
async fn a_tunnel_passes_any_number_of_bytes() {
    let gateway = TestGateway::open().await;
    let mut stream = gateway.connect().await;
    let request = format!("GET /api/socket/ws HTTP/1.1\r\nhost: a\r\n{UPGRADE}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    read_until(&mut stream, "\r\n\r\n").await;
    let (mut reading, mut writing) = stream.split();
    let sent = "a".repeat(1_000_000);
    let send = async { writing.write_all(sent.as_bytes()).await.unwrap() };
    let mut received = vec![0; sent.len()];
    let ((), read) = tokio::join!(send, timeout(DEADLINE, reading.read_exact(&mut received)));
    read.expect("all bytes come back").unwrap();
    assert!(received.iter().all(|byte| *byte == b'A'));
}

#[actix_web::test]
async fn a_tunnel_ends_with_the_token_that_opened_it_and_at_shutdown() {
    for lifetime in [1, 900] {
        let mut gateway = TestGateway::open().await;
        let user = gateway
            .issuer
            .as_user()
            .with(|_, claims| claims.exp = claims.iat + lifetime);
        let mut stream = gateway.connect().await;
        let request = format!(
            "GET /api/socket/ws HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n{UPGRADE}\r\n",
            user.token()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        read_until(&mut stream, "\r\n\r\n").await;
        if lifetime > 1 {
            gateway.stop();
        }
        let started = Instant::now();
        assert_eq!(read_to_end(&mut stream).await, "");
        // Before the gateway ends all connections.
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{:?}",
            started.elapsed()
        );
    }
}

#[actix_web::test]
async fn an_upgrade_that_is_not_allowed_is_ignored() {
    let gateway = TestGateway::open().await;
    for (path, upgrade) in [
        ("/api/products/ws", UPGRADE),
        (
            "/api/socket/ws",
            "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: a\r\n",
        ),
        (
            "/api/socket/ws",
            "connection: upgrade\r\nupgrade: websocket, h2c\r\n",
        ),
        ("/api/socket/ws", "connection: close\r\nupgrade: websocket\r\n"),
    ] {
        let mut stream = gateway.connect().await;
        // A second request in the same packet is a request, and not data of a tunnel.
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: a\r\n{upgrade}\r\nGET /internal HTTP/1.1\r\nhost: a\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let text = read_until(&mut stream, "no upgrade").await;
        assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
        let received = gateway.backend.last();
        assert_eq!(received.header("upgrade"), None, "{}", received.head);
        assert!(received.target().ends_with("/ws"), "{}", received.head);
    }
}

#[actix_web::test]
async fn an_upgrade_from_another_site_is_refused() {
    let gateway = TestGateway::open().await;
    for origin in ["origin: https://evil.example", "sec-fetch-site: cross-site"] {
        let lines: Vec<_> = UPGRADE.lines().chain([origin]).collect();
        let mut stream = gateway.connect().await;
        let request = format!(
            "GET /api/socket/ws HTTP/1.1\r\nhost: a\r\n{}\r\n\r\n",
            lines.join("\r\n")
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let text = read_until(&mut stream, "cross_site").await;
        assert!(text.starts_with("HTTP/1.1 403 "), "{text}");
    }
    assert!(gateway.backend.received().is_empty());
}

#[actix_web::test]
async fn an_upgrade_with_a_cookie_must_come_from_an_allowed_page() {
    let gateway = TestGateway::open_with(&[("CORS_ORIGINS", "https://app.example")]).await;
    let cookie = format!("cookie: countersign_access={}", gateway.issuer.as_user().token());
    let cookie = cookie.as_str();
    for (lines, status) in [
        (&[cookie][..], 403),
        (&[cookie, "origin: null"], 403),
        (&[cookie, "origin: https://app.example"], 101),
        (&[cookie, "origin: http://localhost:8080"], 101),
        (&[cookie, "sec-fetch-site: same-origin"], 101),
    ] {
        let lines: Vec<_> = UPGRADE.lines().chain(lines.iter().copied()).collect();
        let mut stream = gateway.connect().await;
        let request = format!(
            "GET /api/socket/ws HTTP/1.1\r\nhost: a\r\n{}\r\n\r\n",
            lines.join("\r\n")
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let head = read_until(&mut stream, "\r\n\r\n").await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    }
    assert_eq!(gateway.backend.received().len(), 3);
}

#[actix_web::test]
async fn bytes_behind_an_upgrade_request_reach_the_service_only_after_it_agreed() {
    let gateway = TestGateway::open().await;
    let mut stream = gateway.connect().await;
    let request = format!("GET /api/socket/ws HTTP/1.1\r\nhost: a\r\n{UPGRADE}\r\nearly");
    stream.write_all(request.as_bytes()).await.unwrap();
    read_until(&mut stream, "EARLY").await;
    assert_eq!(gateway.backend.received().len(), 1);
}
