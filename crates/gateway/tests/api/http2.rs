//! HTTP/2: a service receives the same request as from a client of HTTP/1.1, or none.

use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::Request;
use http::request::Builder;
use tokio::time::{Instant, timeout};

use crate::certificate::Certificate;
use crate::client::DEADLINE;
use crate::http2_client::{Http2, receive};
use crate::http2_frames::{Reaction, react};
use crate::test_gateway::TestGateway;

fn request(method: &str, path: &str) -> Builder {
    let uri = format!("https://localhost{path}");
    Request::builder().method(method).uri(uri)
}

async fn open() -> (Certificate, TestGateway, Http2) {
    let certificate = Certificate::new();
    let gateway = certificate.open_gateway().await;
    let client = Http2::connect(&certificate, &gateway).await;
    (certificate, gateway, client)
}

#[actix_web::test]
async fn a_wrong_or_ambiguous_length_reaches_no_service() {
    let (_certificate, gateway, client) = open().await;
    for lengths in [
        &["2", "3"][..],
        &["3", "2"],
        &["2, 2"],
        &["2, 3"],
        &["+2"],
        &[""],
        &["1"],
        &["3"],
    ] {
        let head = request("POST", "/api/products");
        let head = lengths
            .iter()
            .fold(head, |head, length| head.header("content-length", *length));
        let error = client.send(head.body(()).unwrap(), "{}").await.unwrap_err();
        assert!(error.is_reset(), "{lengths:?}: {error}");
        assert_eq!(error.reason(), Some(Reason::PROTOCOL_ERROR), "{lengths:?}");
    }
    assert!(gateway.backend.received().is_empty());
}

#[actix_web::test]
async fn equal_lengths_reach_the_service_as_one() {
    let (_certificate, gateway, client) = open().await;
    for lengths in [["2", "2"], ["2", "02"]] {
        let head = request("POST", "/api/products");
        let head = lengths
            .iter()
            .fold(head, |head, length| head.header("content-length", *length));
        let answer = client.send(head.body(()).unwrap(), "{}").await.unwrap();
        answer.assert_forwarded("anonymous");
        let received = gateway.backend.last();
        assert_eq!(received.all("content-length"), ["2"], "{lengths:?}");
        assert_eq!(received.body, b"{}");
    }
}

#[actix_web::test]
async fn a_host_header_may_only_repeat_the_authority() {
    let (_certificate, gateway, client) = open().await;
    let send = async |hosts: &[&str]| {
        let head = request("GET", "/api/products");
        let head = hosts.iter().fold(head, |head, host| head.header("host", *host));
        client.send(head.body(()).unwrap(), "").await.unwrap()
    };
    for hosts in [&["evil.example"][..], &["localhost", "localhost"], &["a b"]] {
        let answer = send(hosts).await;
        answer.assert_problem(400, "bad_request");
    }
    assert!(gateway.backend.received().is_empty());
    for hosts in [&[][..], &["localhost"]] {
        let answer = send(hosts).await;
        answer.assert_forwarded("anonymous");
        let received = gateway.backend.last();
        let own = gateway.backend.address.to_string();
        assert_eq!(received.header("host"), Some(own.as_str()), "{hosts:?}");
        assert_eq!(
            received.header("x-forwarded-host"),
            Some("localhost"),
            "{hosts:?}"
        );
    }
    let head = Request::builder().uri("https://user@localhost/api/products");
    let answer = client.send(head.body(()).unwrap(), "").await.unwrap();
    answer.assert_problem(400, "bad_request");
}

/// Otherwise the client ends the stream with an error.
#[actix_web::test]
async fn an_answer_to_head_has_a_length_and_no_content() {
    let (_certificate, _gateway, client) = open().await;
    for (path, status) in [
        ("/health/live", 200),
        ("/docs/", 200),
        ("/docs", 308),
        ("/nothing", 404),
        ("/api/orders", 401),
        ("/api/products/reset", 502),
        ("/api/products/unmodified", 304),
    ] {
        let answer = client.send(request("HEAD", path).body(()).unwrap(), "").await;
        let answer = answer.unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!((answer.status, answer.body.as_str()), (status, ""), "{path}");
        if status != 304 {
            let got = client
                .send(request("GET", path).body(()).unwrap(), "")
                .await
                .unwrap();
            let length = got.body.len().to_string();
            assert_eq!(answer.header("content-length"), Some(length.as_str()), "{path}");
        }
    }
}

#[actix_web::test]
async fn a_request_has_at_most_80_headers() {
    let (_certificate, gateway, client) = open().await;
    let send = async |fields: usize| {
        let head = request("GET", "/api/products");
        let head = (0..fields).fold(head, |head, number| head.header(format!("x-{number}"), "a"));
        client.send(head.body(()).unwrap(), "").await.unwrap()
    };
    send(81).await.assert_problem(431, "headers_too_large");
    assert!(gateway.backend.received().is_empty());
    send(80).await.assert_forwarded("anonymous");
}

/// Browsers send each cookie in its own field (RFC 9113 §8.2.3).
#[actix_web::test]
async fn all_cookies_count_as_one_header() {
    let (_certificate, gateway, client) = open().await;
    let send = async |method: &str, path: &str, fields: usize, cookies: usize| {
        let head = request(method, path).header("cookie", "countersign_refresh=r");
        let head = (0..fields).fold(head, |head, number| head.header(format!("x-{number}"), "a"));
        let head = (1..cookies).fold(head, |head, number| head.header("cookie", format!("c{number}=a")));
        client.send(head.body(()).unwrap(), "").await.unwrap()
    };
    for (method, path) in [("GET", "/auth/current-user"), ("POST", "/auth/logout")] {
        send(method, path, 79, 200).await.assert_forwarded("anonymous");
        let received = gateway.backend.last();
        assert_eq!(received.header("cookie"), Some("countersign_refresh=r"));
        let headers = received.head.trim_end().lines().count() - 1;
        assert!(
            headers <= 96,
            "a service accepts 96 headers, and received {headers}"
        );
    }
    send("GET", "/auth/current-user", 80, 2)
        .await
        .assert_problem(431, "headers_too_large");
}

#[actix_web::test]
async fn cookies_in_several_fields_are_read_as_one_line() {
    let (_certificate, gateway, client) = open().await;
    let user = gateway.issuer.as_user();
    let access = format!("countersign_access={}", user.token());
    let head = |method: &str, path: &str, crumbs: &[&str]| {
        let head = request(method, path);
        let head = crumbs
            .iter()
            .fold(head, |head, crumb| head.header("cookie", *crumb));
        head.body(()).unwrap()
    };
    let crumbs = ["a=b", &access, "countersign_refresh=r", "c=d"];
    let answer = client
        .send(head("GET", "/auth/sessions", &crumbs), "")
        .await
        .unwrap();
    answer.assert_forwarded(&user.user().id().to_string());
    let received = gateway.backend.only();
    assert_eq!(received.header("cookie"), Some("countersign_refresh=r"));
    let bearer = format!("Bearer {}", user.token());
    assert_eq!(received.header("authorization"), Some(bearer.as_str()));

    let answer = client
        .send(head("POST", "/auth/refresh", &crumbs), "")
        .await
        .unwrap();
    // The access cookie counts.
    answer.assert_problem(403, "cross_site");
    let doubled = client
        .send(head("GET", "/api/orders", &[&access, "a=b", &access]), "")
        .await;
    doubled.unwrap().assert_problem(401, "no_token");
    gateway.backend.only();
}

#[actix_web::test]
async fn a_streamed_body_that_is_too_long_is_answered_with_413() {
    let (_certificate, gateway, client) = open().await;
    for _ in 0..10 {
        let (response, mut upload) = client
            .begin(request("POST", "/api/products").body(()).unwrap())
            .await;
        for _ in 0..2 {
            upload.send_data(Bytes::from(vec![b'a'; 60_000]), false).unwrap();
        }
        // The client could still send more.
        receive(response)
            .await
            .unwrap()
            .assert_problem(413, "payload_too_large");
    }
    assert!(gateway.backend.received().is_empty());
    let answer = client
        .send(request("POST", "/api/products").body(()).unwrap(), "{}")
        .await;
    answer.unwrap().assert_forwarded("anonymous");
}

#[actix_web::test]
async fn a_refusal_in_the_middle_of_an_upload_arrives() {
    let (_certificate, gateway, client) = open().await;
    // More bytes in all than the window of the connection, which the refused ones must not use up.
    for _ in 0..10 {
        let (response, mut upload) = client
            .begin(request("POST", "/api/orders").body(()).unwrap())
            .await;
        upload
            .send_data(Bytes::from(vec![b'a'; 1_000_000]), false)
            .unwrap();
        receive(response).await.unwrap().assert_problem(401, "no_token");
    }
    assert!(gateway.backend.received().is_empty());
    let answer = client
        .send(request("POST", "/api/products").body(()).unwrap(), "{}")
        .await;
    answer.unwrap().assert_forwarded("anonymous");
    assert_eq!(gateway.backend.only().body, b"{}");
}

#[actix_web::test]
async fn fields_that_have_no_meaning_in_http_2_are_refused() {
    let certificate = Certificate::new();
    let gateway = certificate.open_gateway().await;
    let send = async |field| {
        let stream = certificate.connect(gateway.connect().await).await.unwrap();
        let head = [
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "localhost"),
            (":path", "/api/products"),
            field,
        ];
        react(stream, &head).await
    };
    for field in [
        ("connection", "close"),
        ("connection", "x-user-id"),
        ("transfer-encoding", "chunked"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("upgrade", "websocket"),
        ("te", "other"),
        ("te", "trailers, other"),
        // A pseudo-header behind a header, or twice.
        (":path", "/api/orders"),
    ] {
        assert_eq!(
            send(field).await,
            Reaction::Reset(Reason::PROTOCOL_ERROR.into()),
            "{field:?}"
        );
    }
    // A service would read line breaks as the end of a field, so no field can have them.
    for field in [
        ("x", "a\r\ntransfer-encoding: chunked"),
        ("x", "a\nx-user-id: admin"),
        ("x", "a\u{0}"),
        ("x: a\r\ny", "b"),
        ("x-user-id: admin", "b"),
        ("X-User-Id", "admin"),
        ("x y", "b"),
        ("", "b"),
        (":other", "b"),
    ] {
        assert_eq!(send(field).await, Reaction::End, "{field:?}");
    }
    assert!(gateway.backend.received().is_empty());
    assert_eq!(send(("te", "trailers")).await, Reaction::Response);
    assert_eq!(gateway.backend.only().header("te"), None);
}

/// The client has 30 seconds longer than the timeout of the route, which is 2 seconds.
#[actix_web::test]
async fn a_response_that_the_client_does_not_read_is_reset_and_others_go_on() {
    let certificate = Certificate::new();
    let gateway = certificate.open_gateway().await;
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(1_000);
    let client = Http2::connect_with(&certificate, &gateway, &builder).await;
    let started = Instant::now();
    let (response, mut upload) = client
        .begin(request("GET", "/api/products/large").body(()).unwrap())
        .await;
    upload.send_data(Bytes::new(), true).unwrap();
    let mut unread = response.await.unwrap().into_body();
    let other_request = async || {
        let answer = client
            .send(request("GET", "/api/products").body(()).unwrap(), "")
            .await;
        answer.unwrap().assert_forwarded("anonymous");
    };
    other_request().await;
    // Its window for data is full, so the next event is the reset.
    unread.data().await.unwrap().unwrap();
    let reset = timeout(2 * DEADLINE, unread.data()).await;
    reset.expect("the stream ends").unwrap().unwrap_err();
    other_request().await;
    let elapsed = started.elapsed();
    assert!(
        (Duration::from_secs(32)..Duration::from_secs(36)).contains(&elapsed),
        "{elapsed:?}"
    );
}

#[actix_web::test]
async fn a_stream_of_events_that_the_client_does_not_read_ends_after_its_token() {
    let certificate = Certificate::new();
    let gateway = certificate.open_gateway().await;
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(0);
    let client = Http2::connect_with(&certificate, &gateway, &builder).await;
    let user = gateway
        .issuer
        .as_user()
        .with(|_, claims| claims.exp = claims.iat + 2);
    let started = Instant::now();
    let head =
        request("GET", "/api/products/events").header("authorization", format!("Bearer {}", user.token()));
    let (response, mut upload) = client.begin(head.body(()).unwrap()).await;
    upload.send_data(Bytes::new(), true).unwrap();
    let mut unread = response.await.unwrap().into_body();
    let reset = timeout(2 * DEADLINE, unread.data()).await;
    reset.expect("the stream ends").unwrap().unwrap_err();
    // The client has 30 seconds to read.
    let elapsed = started.elapsed();
    assert!(
        (Duration::from_secs(31)..Duration::from_secs(36)).contains(&elapsed),
        "{elapsed:?}"
    );
}
