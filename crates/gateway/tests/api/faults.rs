//! Services that fail: they hang, drip, reset, talk nonsense, or close connections under the gateway.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep, timeout};

use crate::client::{Answer, DEADLINE, eventually, read_to_end, read_until};
use crate::test_gateway::TestGateway;

#[actix_web::test]
async fn a_service_that_hangs_or_drips_gets_504_in_time() {
    let gateway = TestGateway::open().await;
    for path in ["/api/products/hang", "/api/products/drip-head"] {
        let started = Instant::now();
        gateway
            .get(path, &[])
            .await
            .assert_problem(504, "upstream_timeout");
        let elapsed = started.elapsed();
        assert!(elapsed < Duration::from_secs(2), "{path}: {elapsed:?}");
        assert!(elapsed > Duration::from_millis(600), "{path}: {elapsed:?}");
    }
}

#[actix_web::test]
async fn a_service_that_does_not_speak_http_is_unavailable() {
    let gateway = TestGateway::open().await;
    for path in [
        "/api/products/reset",
        "/api/products/junk",
        "/api/products/endless-headers",
        "/api/products/endless-continue",
    ] {
        gateway
            .get(path, &[])
            .await
            .assert_problem(502, "upstream_unavailable");
    }
    assert_eq!(gateway.backend.received().len(), 4, "none of them is repeated");
}

#[actix_web::test]
async fn a_body_that_breaks_off_never_looks_complete() {
    let gateway = TestGateway::open().await;
    for path in [
        "/api/products/cut-body",
        "/api/products/cut-chunks",
        "/api/products/hang-body",
    ] {
        let mut stream = gateway.connect().await;
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let text = read_to_end(&mut stream).await;
        let answer = Answer::parse(&text);
        assert_eq!(answer.status, 200);
        assert!(!answer.body.contains("0\r\n\r\n"), "{text}");
        if let Some(length) = answer.header("content-length") {
            assert_ne!(length, answer.body.len().to_string());
        }
    }
}

#[actix_web::test]
async fn two_framings_of_a_response_become_one() {
    let gateway = TestGateway::open().await;
    let text = gateway
        .raw("GET /api/products/two-framings HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await;
    // `Transfer-Encoding` overrides `Content-Length` (RFC 9112 §6.3).
    let answer = Answer::parse(&text);
    assert_eq!(answer.status, 200, "{text}");
    assert_eq!(answer.header("content-length"), None, "{text}");
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"), "{text}");
    assert_eq!(answer.body, "5\r\nhello\r\n0\r\n\r\n");
}

#[actix_web::test]
async fn a_second_response_reaches_no_other_client() {
    let gateway = TestGateway::open().await;
    for _ in 0..5 {
        let answer = gateway.get("/api/products/extra-response", &[]).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "first"));
        gateway
            .get("/api/products", &[])
            .await
            .assert_forwarded("anonymous");
    }
}

#[actix_web::test]
async fn a_pooled_connection_that_was_closed_is_replaced() {
    let gateway = TestGateway::open().await;
    let mut stream = gateway.connect().await;
    for number in 0..10 {
        let kind = if number % 2 == 0 { "then-close" } else { "created" };
        let request = format!("GET /api/products/{kind} HTTP/1.1\r\nhost: a\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let end = if number % 2 == 0 {
            "closed afterwards"
        } else {
            "\r\n\r\n"
        };
        let text = read_until(&mut stream, end).await;
        assert!(text.starts_with("HTTP/1.1 20"), "{text}");
    }
}

/// The backend closes each connection at its second request, without an answer.
#[actix_web::test]
async fn only_requests_that_can_be_repeated_are_sent_again() {
    let gateway = TestGateway::open().await;
    let send = async |stream: &mut tokio::net::TcpStream, request: &str| {
        stream
            .write_all(format!("{request} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n").as_bytes())
            .await
            .unwrap();
        read_until(stream, "\r\n\r\n").await
    };
    let mut stream = gateway.connect().await;
    send(&mut stream, "GET /api/products/created").await;
    let text = send(&mut stream, "GET /api/products/once").await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    let targets = |gateway: &TestGateway| -> Vec<String> {
        let received = gateway.backend.received();
        received
            .iter()
            .map(|received| received.target().to_owned())
            .collect()
    };
    assert_eq!(
        targets(&gateway),
        [
            "GET /products/created",
            "GET /products/once",
            "GET /products/once"
        ]
    );

    // A service may have done what a POST asks for, even if it did not answer.
    let gateway = TestGateway::open().await;
    let mut stream = gateway.connect().await;
    send(&mut stream, "GET /api/products/created").await;
    let text = send(&mut stream, "POST /api/products/once").await;
    assert!(text.starts_with("HTTP/1.1 502"), "{text}");
    assert_eq!(
        targets(&gateway),
        ["GET /products/created", "POST /products/once"]
    );
}

/// More connections than a task may read from in one step.
#[actix_web::test]
async fn requests_do_not_wait_on_connections_that_a_service_has_closed() {
    const COUNT: usize = 500;
    let gateway = TestGateway::open_with(&[("RATE_LIMIT", "0")]).await;
    let mut streams = Vec::new();
    for _ in 0..COUNT {
        let mut stream = gateway.connect().await;
        let request = b"GET /auth/kept HTTP/1.1\r\nhost: a\r\n\r\n";
        stream.write_all(request).await.unwrap();
        streams.push(stream);
    }
    eventually(|| gateway.backend.connections() == COUNT).await;
    gateway.backend.answer_kept();
    for stream in &mut streams {
        read_until(stream, "kept").await;
    }
    gateway.backend.close_kept();
    eventually(|| gateway.backend.ended() == COUNT).await;
    for _ in 0..20 {
        let text = gateway
            .raw("POST /auth/login HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}")
            .await;
        Answer::parse(&text).assert_forwarded("anonymous");
    }
}

/// The route allows 700 ms for the beginning of the response.
#[actix_web::test]
async fn the_time_to_respond_begins_after_the_upload() {
    let gateway = TestGateway::open().await;
    let mut stream = gateway.connect().await;
    let head = "POST /api/products/delayed HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nha";
    stream.write_all(head.as_bytes()).await.unwrap();
    sleep(Duration::from_millis(400)).await;
    stream.write_all(b"lf").await.unwrap();
    let text = read_until(&mut stream, "\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
}

#[actix_web::test]
async fn a_service_that_stops_reading_is_at_fault_and_not_the_client() {
    let gateway = TestGateway::open().await;
    let mut stream = gateway.connect().await;
    let (mut reading, mut writing) = stream.split();
    // More than the buffers between the client and the service hold.
    let body = "a".repeat(50_000_000);
    let head = format!(
        "POST /api/uploads/unread HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let send = async {
        writing.write_all(head.as_bytes()).await.unwrap();
        // The gateway ends the connection before it has read the whole body.
        drop(writing.write_all(body.as_bytes()).await);
    };
    let receive = async {
        let mut text = Vec::new();
        drop(reading.read_to_end(&mut text).await);
        String::from_utf8(text).unwrap()
    };
    let ((), text) = timeout(DEADLINE, join(send, receive)).await.unwrap();
    Answer::parse(&text).assert_problem(504, "upstream_timeout");
}

#[actix_web::test]
async fn a_client_does_not_see_the_http_version_of_a_service() {
    let gateway = TestGateway::open().await;
    let text = gateway
        .raw("GET /api/products/http-1.0 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await;
    let answer = Answer::parse(&text);
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    assert_eq!(answer.body, "3\r\nold\r\n0\r\n\r\n");
}

#[actix_web::test]
async fn repeated_failures_open_the_circuit_of_that_service_only() {
    let gateway = TestGateway::open().await;
    for _ in 0..10 {
        gateway
            .get("/api/products/reset", &[])
            .await
            .assert_problem(502, "upstream_unavailable");
    }
    let answer = gateway.get("/api/products", &[]).await;
    answer.assert_problem(503, "circuit_open");
    let retry_after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=5).contains(&retry_after), "{retry_after}");
    assert_eq!(gateway.backend.received().len(), 10);
    gateway
        .get("/auth/login", &[])
        .await
        .assert_forwarded("anonymous");

    let started = Instant::now();
    while gateway.get("/api/products", &[]).await.status != 200 {
        assert!(
            started.elapsed() < Duration::from_secs(8),
            "the circuit stays open"
        );
        sleep(Duration::from_millis(100)).await;
    }
    gateway
        .get("/api/products", &[])
        .await
        .assert_forwarded("anonymous");
}

#[actix_web::test]
async fn a_request_is_sent_once_to_a_service_that_closes_new_connections() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let gateway = TestGateway::open_with(&[("USER_SERVICE_URL", &url)]).await;
    let connections = Rc::new(Cell::new(0));
    let counted = Rc::clone(&connections);
    let service = spawn_local(async move {
        while let Ok((connection, _)) = listener.accept().await {
            counted.set(counted.get() + 1);
            drop(connection);
        }
    });
    let answer = gateway.get("/auth/sessions", &[]).await;
    answer.assert_problem(502, "upstream_unavailable");
    assert_eq!(connections.get(), 1);
    service.abort();
}

#[actix_web::test]
async fn a_service_that_refuses_connections_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let gateway = TestGateway::open_with(&[("USER_SERVICE_URL", &format!("http://{address}"))]).await;
    // No retries on this route.
    gateway
        .get("/api/products", &[])
        .await
        .assert_forwarded("anonymous");

    let mut stream = gateway.connect().await;
    stream
        .write_all(b"POST /auth/login HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}")
        .await
        .unwrap();
    // The service starts while the gateway waits.
    let listener = TcpListener::bind(address).await.unwrap();
    let service = async {
        let (mut connection, _) = listener.accept().await.unwrap();
        read_until(&mut connection, "{}").await;
        connection
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            .await
            .unwrap();
        connection
    };
    let (_connection, text) = tokio::join!(service, read_until(&mut stream, "\r\n\r\n"));
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
}

/// Otherwise any client could keep a service's other clients away.
#[actix_web::test]
async fn bodies_that_clients_break_off_do_not_open_the_circuit() {
    let gateway = TestGateway::open().await;
    for chunks in ["1\r\n{\r\nZZ\r\n", "ffffffffffffffffffffff\r\n"] {
        for _ in 0..10 {
            let text = gateway
                .raw(format!(
                    "POST /api/products HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"
                ))
                .await;
            Answer::parse(&text).assert_problem(400, "bad_request");
        }
    }
    let broken = gateway.backend.broken_bodies();
    for _ in 0..10 {
        let mut stream = gateway.connect().await;
        let head = "POST /api/products HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf";
        stream.write_all(head.as_bytes()).await.unwrap();
    }
    // The gateway has noticed each of them.
    eventually(|| gateway.backend.broken_bodies() == broken + 10).await;
    gateway
        .get("/api/products", &[])
        .await
        .assert_forwarded("anonymous");
}
