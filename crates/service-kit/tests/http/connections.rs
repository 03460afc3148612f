//! Connections: kept alive, pipelined, slow, and requests that are not HTTP.

use std::time::{Duration, Instant};

use crate::test_service::Things;

const LIVE: &str = "GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n";

#[actix_web::test]
async fn a_connection_stays_usable_after_a_refusal() {
    let things = Things::spawn().await;
    let mut wire = things.connect().await;
    let refused = [
        ("GET /no HTTP/1.1\r\nhost: a\r\n\r\n", 404, "not_found"),
        (
            "BREW /things HTTP/1.1\r\nhost: a\r\n\r\n",
            405,
            "method_not_allowed",
        ),
        ("GET /admin HTTP/1.1\r\nhost: a\r\n\r\n", 401, "no_token"),
        (
            "GET /fails?how=internal HTTP/1.1\r\nhost: a\r\n\r\n",
            500,
            "internal",
        ),
        (
            "POST /things HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\r\n{",
            400,
            "malformed_json",
        ),
    ];
    for (request, status, code) in refused {
        wire.send(request).await;
        wire.hear().await.assert_problem(status, code);
        wire.assert_works().await;
    }
    // Pipelined: the responses come in the order of the requests.
    let together: String = refused
        .iter()
        .flat_map(|(request, ..)| [*request, LIVE])
        .collect();
    wire.send(together).await;
    for (_, status, code) in refused {
        wire.hear().await.assert_problem(status, code);
        assert_eq!(wire.hear().await.status, 200);
    }
}

/// An unread body must not be parsed as the next request (RFC 9112 §9.3).
#[actix_web::test]
async fn an_unread_body_is_never_parsed_as_a_request() {
    let things = Things::spawn().await;
    let inner = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    for (path, content_type, status) in [
        ("/admin", "application/json", 401),
        ("/things", "text/plain", 415),
        ("/no", "text/plain", 404),
    ] {
        for chunked in [false, true] {
            let (framing, body) = if chunked {
                (
                    "transfer-encoding: chunked".to_owned(),
                    format!("{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len()),
                )
            } else {
                (format!("content-length: {}", inner.len()), inner.to_owned())
            };
            let mut wire = things.connect().await;
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: {content_type}\r\n{framing}\r\n\r\n"
            );
            wire.send(head + &body + LIVE).await;
            assert_eq!(wire.hear().await.status, status, "{path}");
            // The service closes the connection or answers the request behind the body.
            if let Some(next) = wire.hear_or_end().await {
                assert_eq!(
                    (next.status, next.body.as_str()),
                    (200, r#"{"status":"live"}"#),
                    "{path}"
                );
            }
        }
    }
}

/// A client that announces chunks and sends none must not occupy a connection.
#[actix_web::test]
async fn an_unread_body_does_not_keep_its_connection_open() {
    let things = Things::spawn().await;
    for (path, status) in [
        ("/admin", 401),
        ("/no", 404),
        ("/health/live", 405),
        ("/things/maybe", 415),
    ] {
        let framing = "content-type: text/plain\r\ntransfer-encoding: chunked";
        let mut wire = things.connect().await;
        wire.send(format!("POST {path} HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n"))
            .await;
        assert_eq!(wire.hear().await.status, status, "{path}");
        wire.assert_closed_within(Duration::from_secs(10)).await;
    }
}

#[actix_web::test]
async fn head_is_answered_as_get_without_the_body() {
    let things = Things::spawn().await;
    let mut wire = things.connect().await;
    let thing = format!("/things/{}", uuid::Uuid::from_u128(1));
    for path in [
        "/things",
        &thing,
        "/health/live",
        "/metrics",
        "/openapi.json",
        "/docs",
        "/no",
        "/admin",
    ] {
        wire.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        let get = wire.hear().await;
        wire.send(format!("HEAD {path} HTTP/1.1\r\nhost: a\r\n\r\n"))
            .await;
        let head = wire.hear_head().await;
        assert_eq!(head.status, get.status, "{path}");
        for name in ["content-type", "etag", "cache-control", "x-content-type-options"] {
            assert_eq!(head.header(name), get.header(name), "{path}: {name}");
        }
        assert!(head.header("x-request-id").is_some(), "{path}");
        wire.assert_works().await;
    }
}

#[actix_web::test]
async fn too_long_a_path_or_head_is_refused_and_the_connection_closed() {
    let things = Things::spawn().await;
    for (request, statuses) in [
        (
            format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(200_000)),
            [414, 431],
        ),
        (
            format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "a".repeat(200_000)),
            [400, 431],
        ),
        (
            format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: a\r\n".repeat(2_000)),
            [400, 431],
        ),
        (
            format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: a\r\n".repeat(200_000)),
            [400, 431],
        ),
    ] {
        let mut wire = things.connect().await;
        wire.try_send(&request).await;
        // The service may close while the client still sends.
        if let Some(heard) = wire.hear_or_end().await {
            assert!(statuses.contains(&heard.status), "{heard:?}");
            assert!(wire.hear_or_end().await.is_none());
        }
    }
    // A long path within the limit is treated as any other.
    let long = format!("/{}", "a".repeat(60_000));
    things
        .anonymous()
        .get(&long)
        .await
        .assert_problem(404, "not_found");
}

#[actix_web::test]
async fn a_malformed_request_is_refused_and_the_connection_closed() {
    let things = Things::spawn().await;
    for request in [
        "\r\n\r\nhello\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx: \0\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n",
        // The start of a TLS handshake, as a client sends it that uses https:// by mistake.
        "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    ] {
        let mut wire = things.connect().await;
        wire.send(request).await;
        if let Some(heard) = wire.hear_or_end().await {
            heard.assert_problem(400, "bad_request");
            assert_eq!(
                heard.header("x-content-type-options"),
                Some("nosniff"),
                "{request:?}"
            );
            assert!(wire.hear_or_end().await.is_none(), "{request:?}");
        }
    }
    things.anonymous().get("/id").await.assert_status(200);
}

/// This takes 10 seconds, after which a slow head is given up.
#[actix_web::test]
async fn a_client_that_sends_a_head_too_slowly_is_disconnected() {
    let things = Things::spawn().await;
    let dribble = async |begin: &str| {
        let mut wire = things.connect().await;
        let begun = Instant::now();
        wire.send(begin).await;
        // One header a second would keep resetting an idle timer.
        let last_answer = loop {
            if let Ok(heard) = wire.hear_or_end_within(Duration::from_secs(1)).await {
                break heard;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(14),
                "the service still reads"
            );
            wire.try_send("x: y\r\n").await;
        };
        if let Some(heard) = last_answer {
            heard.assert_problem(408, "request_timeout");
        }
        assert!(
            (9..14).contains(&begun.elapsed().as_secs()),
            "{:?}",
            begun.elapsed()
        );
    };
    tokio::join!(
        dribble("GET / HTTP/1.1\r\n"),
        dribble("GET /health/live HTTP/1.1\r\nhost: a\r\n")
    );
}
