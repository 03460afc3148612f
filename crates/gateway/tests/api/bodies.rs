//! Bodies pass in both directions as they arrive.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

use crate::client::{Answer, eventually, read_to_end, read_until};
use crate::test_gateway::TestGateway;

#[actix_web::test]
async fn events_pass_when_they_happen() {
    let gateway = TestGateway::open().await;
    let mut stream = gateway.connect().await;
    stream
        .write_all(b"GET /api/products/events HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let started = Instant::now();
    read_until(&mut stream, "data: 0").await;
    assert!(
        started.elapsed() < Duration::from_millis(1_000),
        "{:?}",
        started.elapsed()
    );
    // The route's timeout is 2 seconds, and does not apply to a stream of events.
    read_until(&mut stream, "0\r\n\r\n").await;
}

#[actix_web::test]
async fn a_stream_of_events_ends_with_the_token_that_opened_it() {
    let gateway = TestGateway::open().await;
    let user = gateway
        .issuer
        .as_user()
        .with(|_, claims| claims.exp = claims.iat + 2);
    let mut stream = gateway.connect().await;
    let request = format!(
        "GET /api/products/events HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n\r\n",
        user.token()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    // It ends as if the service had ended it, so that the client connects again.
    let text = read_until(&mut stream, "0\r\n\r\n").await;
    assert!(text.contains("data: 0"), "{text}");
    assert!(!text.contains("data: 4"), "{text}");
}

#[actix_web::test]
async fn a_body_passes_while_the_client_still_sends() {
    let gateway = TestGateway::open().await;
    let mut stream = gateway.connect().await;
    let head =
        "POST /api/products/early HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    // The service answers although the body has not ended.
    read_until(&mut stream, "early").await;
}

#[actix_web::test]
async fn a_get_keeps_its_body() {
    let gateway = TestGateway::open().await;
    for (framing, body) in [
        ("transfer-encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
        ("content-length: 5", "hello"),
    ] {
        gateway
            .send("GET /api/products HTTP/1.1", &[framing], body)
            .await
            .assert_forwarded("anonymous");
        assert_eq!(gateway.backend.last().body, b"hello", "{framing}");
    }
}

#[actix_web::test]
async fn a_response_that_looks_like_a_refusal_is_not_changed_by_a_body_that_arrives_late() {
    let gateway = TestGateway::open().await;
    let mut stream = gateway.connect().await;
    let head =
        "POST /api/products/lookalike HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 5\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    // The body is read when the request is in progress already.
    eventually(|| gateway.backend.connections() == 1).await;
    stream.write_all(b"hello").await.unwrap();
    let answer = Answer::parse(&read_to_end(&mut stream).await);
    assert_eq!(
        answer.body,
        "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"
    );
}

#[actix_web::test]
async fn large_bodies_pass_unchanged() {
    let gateway = TestGateway::open().await;
    let body: String = ('a'..='z').cycle().take(90_000).collect();
    let length = format!("content-length: {}", body.len());
    gateway
        .send("POST /api/products HTTP/1.1", &[&length], &body)
        .await
        .assert_forwarded("anonymous");
    assert_eq!(gateway.backend.only().body, body.as_bytes());
    let answer = gateway.get("/api/products/large", &[]).await;
    assert_eq!(answer.body.len(), 64 * 1024);
}

#[actix_web::test]
async fn a_body_that_is_too_long_is_refused() {
    let gateway = TestGateway::open().await;
    let answer = gateway
        .send(
            "POST /api/products HTTP/1.1",
            &["content-length: 100001", "expect: 100-continue"],
            "",
        )
        .await;
    answer.assert_problem(413, "payload_too_large");
    assert!(gateway.backend.received().is_empty());

    // The length of a chunked body is known when it has passed.
    let chunk = format!("{:x}\r\n{}\r\n", 60_000, "a".repeat(60_000));
    let answer = gateway
        .send(
            "POST /api/products HTTP/1.1",
            &["transfer-encoding: chunked"],
            &format!("{chunk}{chunk}0\r\n\r\n"),
        )
        .await;
    answer.assert_problem(413, "payload_too_large");
    let longest = gateway
        .backend
        .received()
        .iter()
        .map(|received| received.body.len())
        .max();
    assert!(longest.unwrap_or(0) <= 100_000);

    let longest = gateway
        .send(
            "POST /api/products HTTP/1.1",
            &["content-length: 100000"],
            &"a".repeat(100_000),
        )
        .await;
    longest.assert_forwarded("anonymous");

    // No other request can follow on the connection.
    let text = gateway
        .raw("POST /api/products HTTP/1.1\r\nhost: a\r\ncontent-length: 100001\r\n\r\n")
        .await;
    let answer = Answer::parse(&text);
    answer.assert_problem(413, "payload_too_large");
    assert_eq!(answer.header("connection"), Some("close"));
}

#[actix_web::test]
async fn responses_without_a_body_keep_the_connection_usable() {
    let gateway = TestGateway::open().await;
    let mut stream = gateway.connect().await;
    for (request, end) in [
        ("HEAD /api/products/large", "content-length: 65536"),
        ("GET /api/products/unmodified", "304 Not Modified"),
        ("HEAD /api/products", "200 OK"),
    ] {
        stream
            .write_all(format!("{request} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes())
            .await
            .unwrap();
        read_until(&mut stream, end).await;
    }
    stream
        .write_all(b"GET /api/products HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let rest = read_to_end(&mut stream).await;
    assert!(rest.ends_with("anonymous"), "{rest}");
}

#[actix_web::test]
async fn connections_to_the_service_are_used_again() {
    let gateway = TestGateway::open().await;
    let mut stream = gateway.connect().await;
    for number in 0..30 {
        let request =
            format!("POST /api/products/{number} HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{{}}");
        stream.write_all(request.as_bytes()).await.unwrap();
        read_until(&mut stream, "anonymous").await;
    }
    assert_eq!(gateway.backend.connections(), 1);
}

#[actix_web::test]
async fn a_client_that_disconnects_ends_its_request() {
    let gateway = TestGateway::open().await;
    let mut stream = gateway.connect().await;
    stream
        .write_all(b"GET /auth/hang HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    eventually(|| gateway.backend.received().len() == 1).await;
    assert_eq!(gateway.backend.ended(), 0);
    drop(stream);
    let dropped = Instant::now();
    eventually(|| gateway.backend.ended() == 1).await;
    // Long before the route's timeout.
    assert!(
        dropped.elapsed() < Duration::from_secs(5),
        "{:?}",
        dropped.elapsed()
    );
    // The gateway goes on answering others.
    gateway
        .get("/api/products", &[])
        .await
        .assert_forwarded("anonymous");
}

#[actix_web::test]
async fn a_slow_head_is_answered_with_408() {
    let gateway = TestGateway::open().await;
    let mut stream = gateway.connect().await;
    stream
        .write_all(b"GET /api/products HTTP/1.1\r\nhost: a\r\n")
        .await
        .unwrap();
    let started = Instant::now();
    let text = read_to_end(&mut stream).await;
    Answer::parse(&text).assert_problem(408, "request_timeout");
    let elapsed = started.elapsed();
    assert!(
        (Duration::from_secs(9)..Duration::from_secs(13)).contains(&elapsed),
        "{elapsed:?}"
    );
    assert!(gateway.backend.received().is_empty());
}

#[actix_web::test]
async fn a_slow_head_after_other_requests_is_answered_with_408_too() {
    let gateway = TestGateway::open().await;
    let mut stream = gateway.connect().await;
    stream
        .write_all(b"GET /api/products HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    read_until(&mut stream, "anonymous").await;
    stream.write_all(b"GET /api/pro").await.unwrap();
    let started = Instant::now();
    let text = read_to_end(&mut stream).await;
    Answer::parse(&text).assert_problem(408, "request_timeout");
    assert!(
        started.elapsed() < Duration::from_secs(13),
        "{:?}",
        started.elapsed()
    );
}

/// The service has received all that the client has sent, so the client is at fault.
#[actix_web::test]
async fn a_body_that_is_not_complete_in_the_time_of_the_route_is_answered_with_408() {
    let gateway = TestGateway::open().await;
    let mut stream = gateway.connect().await;
    let started = Instant::now();
    let head = "POST /api/products HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf";
    stream.write_all(head.as_bytes()).await.unwrap();
    let text = read_to_end(&mut stream).await;
    Answer::parse(&text).assert_problem(408, "request_timeout");
    let elapsed = started.elapsed();
    assert!(
        (Duration::from_secs(2)..Duration::from_secs(4)).contains(&elapsed),
        "{elapsed:?}"
    );
}

#[actix_web::test]
async fn a_body_that_stops_arriving_is_answered_with_408() {
    let gateway = TestGateway::open().await;
    let mut stream = gateway.connect().await;
    let started = Instant::now();
    let head = "POST /auth/login HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf";
    stream.write_all(head.as_bytes()).await.unwrap();
    let text = read_to_end(&mut stream).await;
    Answer::parse(&text).assert_problem(408, "request_timeout");
    let elapsed = started.elapsed();
    assert!(
        (Duration::from_secs(14)..Duration::from_secs(18)).contains(&elapsed),
        "{elapsed:?}"
    );
}
