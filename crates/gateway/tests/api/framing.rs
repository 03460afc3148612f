//! The boundaries of requests: the service sees the same requests as the gateway, or none, for any bytes of a client.

use tokio::io::AsyncWriteExt as _;

use crate::backend::Received;
use crate::client::{Answer, read_until};
use crate::test_gateway::TestGateway;

/// A request that must never reach the service.
const SMUGGLED: &str = "GET /products/smuggled HTTP/1.1\r\nhost: a\r\n\r\n";

/// Sends bytes, and returns the status of the first response with what reached the service.
async fn attack(gateway: &TestGateway, bytes: &str) -> (Option<u16>, Vec<Received>) {
    let text = gateway.raw(bytes).await;
    let status = (!text.is_empty()).then(|| Answer::parse(&text).status);
    (status, gateway.backend.received())
}

#[actix_web::test]
async fn ambiguous_lengths_smuggle_no_request() {
    for framing in [
        // Content-Length before Transfer-Encoding, and the reverse.
        "content-length: 6\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 6",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\ncontent-length: 6",
        "Content-Length: 6\r\nTRANSFER-ENCODING: Chunked",
    ] {
        let gateway = TestGateway::open().await;
        let bytes = format!("POST /api/products HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n0\r\n\r\n{SMUGGLED}");
        let (status, received) = attack(&gateway, &bytes).await;
        // Only `Transfer-Encoding` counts, and the connection ends, so that what follows is no request (RFC 9112 §6.3).
        let requests: Vec<_> = received
            .iter()
            .map(|received| (received.target(), received.body.as_slice()))
            .collect();
        assert_eq!(status, Some(200), "{framing}");
        assert_eq!(requests, [("POST /products", &b""[..])], "{framing}");
        assert_eq!(received[0].header("content-length"), None, "{framing}");
    }
}

#[actix_web::test]
async fn malformed_requests_are_refused() {
    for head in [
        "content-length: 5\r\ncontent-length: 6",
        "content-length: 5, 6",
        "content-length: +5",
        "content-length: -1",
        "content-length: 0x5",
        "content-length: 5 5",
        "content-length: ",
        "content-length: 99999999999999999999",
        "transfer-encoding: xchunked",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: identity",
        "transfer-encoding: ",
        "transfer-encoding : chunked",
        " transfer-encoding: chunked",
        "transfer-encoding\u{b}: chunked",
        "transfer-encoding:\u{0}chunked",
        "x: a\u{0}b",
        "x: a\r\n folded: b",
        "x: a\r\n\tfolded",
        ": no name",
        "no colon",
        "x y: a",
        "x-user-id : admin",
        "x-user-id\t: admin",
    ] {
        let gateway = TestGateway::open().await;
        let bytes = format!("POST /api/products HTTP/1.1\r\nhost: a\r\n{head}\r\n\r\nhello{SMUGGLED}");
        let (status, received) = attack(&gateway, &bytes).await;
        assert!(received.is_empty(), "{head:?}: {received:?}");
        assert_eq!(status, Some(400), "{head:?}");
    }
}

#[actix_web::test]
async fn refusals_of_the_parser_are_problem_details() {
    let gateway = TestGateway::open().await;
    for bytes in [
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "nonsense\r\n\r\n",
        "GET / HTTP/3.0\r\n\r\n",
    ] {
        Answer::parse(&gateway.raw(bytes).await).assert_problem(400, "bad_request");
    }
}

#[actix_web::test]
async fn a_body_that_looks_like_a_refusal_of_the_parser_is_not_changed() {
    let gateway = TestGateway::open().await;
    let answer = gateway.get("/api/products/lookalike", &[]).await;
    assert_eq!(
        answer.body,
        "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"
    );
}

#[actix_web::test]
async fn chunks_are_framed_anew() {
    let gateway = TestGateway::open().await;
    let chunks = "5;name=value\r\nhello\r\n6;\"x\r\n world\r\n0\r\nx-user-id: admin\r\n\r\n";
    let bytes = format!(
        "POST /api/products HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\ntrailer: x-user-id\r\n\r\n{chunks}"
    );
    let (_, received) = attack(&gateway, &bytes).await;
    let received = &received[0];
    assert_eq!(received.body, b"hello world");
    assert!(
        !received.head.contains("name=value") && !received.head.contains("trailer"),
        "{}",
        received.head
    );
    assert_eq!(received.header("x-user-id"), None);
}

#[actix_web::test]
async fn broken_chunks_reach_no_service_as_a_complete_request() {
    for chunks in [
        "5\r\nhelloX\r\n0\r\n\r\n",
        "-1\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "5\nhello\n0\n\n",
        "5 \u{0}\r\nhello\r\n0\r\n\r\n",
    ] {
        let gateway = TestGateway::open().await;
        let bytes = format!(
            "POST /api/products HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{chunks}{SMUGGLED}"
        );
        let (status, received) = attack(&gateway, &bytes).await;
        assert_ne!(status, Some(200), "{chunks:?}");
        // The service may have seen the beginning of the request, but neither its end nor a second request.
        assert!(received.is_empty(), "{chunks:?}: {received:?}");
    }
}

#[actix_web::test]
async fn http_1_0_has_no_chunks_and_closes() {
    let gateway = TestGateway::open().await;
    let (status, received) = attack(
        &gateway,
        &format!("POST /api/products HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}"),
    )
    .await;
    assert_eq!((status, received.len()), (Some(400), 0));

    let text = gateway.raw("GET /api/products HTTP/1.0\r\n\r\n").await;
    Answer::parse(&text).assert_forwarded("anonymous");
    assert!(text.starts_with("HTTP/1.0 200"), "{text}");
    assert!(gateway.backend.only().head.contains(" HTTP/1.1\r\n"));
}

#[actix_web::test]
async fn pipelined_requests_are_answered_in_order() {
    let gateway = TestGateway::open().await;
    let first = "GET /api/products/1 HTTP/1.1\r\nhost: a\r\n\r\n";
    let second = "POST /api/products/2 HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}";
    let third = "GET /api/products/3 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let text = gateway.raw(format!("{first}{second}{third}")).await;
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 3, "{text}");
    let targets: Vec<_> = gateway
        .backend
        .received()
        .iter()
        .map(|received| received.target().to_owned())
        .collect();
    assert_eq!(
        targets,
        ["GET /products/1", "POST /products/2", "GET /products/3"]
    );
}

#[actix_web::test]
async fn a_request_has_exactly_one_host() {
    let gateway = TestGateway::open().await;
    for hosts in [
        "",
        "host: a\r\nhost: a\r\n",
        "host: a\r\nhost: b\r\n",
        "host: a b\r\n",
        "host: user@a\r\n",
        "host: a/b\r\n",
        "host: a:99999\r\n",
    ] {
        let text = gateway
            .raw(format!(
                "GET /api/products HTTP/1.1\r\n{hosts}connection: close\r\n\r\n"
            ))
            .await;
        Answer::parse(&text).assert_problem(400, "bad_request");
    }
    assert!(gateway.backend.received().is_empty());
}

#[actix_web::test]
async fn a_client_that_waits_for_100_continue_gets_it() {
    let gateway = TestGateway::open().await;
    let mut stream = gateway.connect().await;
    let head = "POST /api/products HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    read_until(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n").await;
    stream.write_all(b"{}").await.unwrap();
    read_until(&mut stream, "anonymous").await;
    let received = gateway.backend.only();
    assert_eq!(
        (received.body.as_slice(), received.header("expect")),
        (&b"{}"[..], None)
    );
}
