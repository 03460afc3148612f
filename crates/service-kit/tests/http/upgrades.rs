//! The service ignores `Upgrade`, which clients may send with any request (RFC 9110 §7.8).

use std::time::Duration;

use crate::test_service::Things;

/// Headers of an upgrade as clients send them, and in odd spellings.
const UPGRADES: [&str; 6] = [
    // The JDK's HTTP client, with every request.
    "Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nUpgrade: h2c",
    "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13",
    "upgrade: h2c\r\nconnection: keep-alive, Upgrade",
    "connection: upgrade",
    "upgrade: h2c",
    "upgrade: websocket",
];

fn get(headers: &str) -> String {
    format!("GET /things?limit=1 HTTP/1.1\r\nhost: a\r\n{headers}\r\n\r\n")
}

fn post(headers: &str) -> String {
    let body = r#"{"text":"Please\nupgrade: h2c"}"#;
    let length = body.len();
    format!(
        "POST /things HTTP/1.1\r\nhost: a\r\n{headers}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
}

#[actix_web::test]
async fn a_request_to_upgrade_is_answered_and_its_connection_stays_usable() {
    let things = Things::spawn().await;
    for headers in UPGRADES {
        let mut wire = things.connect().await;
        for _ in 0..3 {
            for (request, status) in [(get(headers), 200), (post(headers), 201)] {
                wire.send(&request).await;
                let answer = wire.hear().await;
                assert_eq!(answer.status, status, "{request}: {answer:?}");
                assert_eq!(answer.header("upgrade"), None, "{request}");
                assert_eq!(answer.header("connection"), None, "{request}");
            }
        }
        wire.assert_works().await;
    }
}

#[actix_web::test]
async fn pipelined_requests_to_upgrade_are_all_answered() {
    let things = Things::spawn().await;
    for headers in UPGRADES {
        let mut wire = things.connect().await;
        wire.send([get(headers), post(headers), get(""), post(headers)].concat())
            .await;
        for status in [200, 201, 200, 201] {
            assert_eq!(wire.hear().await.status, status, "{headers}");
        }
        wire.assert_works().await;
    }
}

/// The service hides an upgrade from the parser only in the usual spellings, and in a head that arrives in one piece.
#[actix_web::test]
async fn the_end_of_a_connection_is_announced_when_an_upgrade_is_not_recognised() {
    let things = Things::spawn().await;
    for path in ["/id", "/no"] {
        let mut wire = things.connect().await;
        wire.send(&format!(
            "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: UPGRADE\r\n\r\n"
        ))
        .await;
        let answer = wire.hear().await;
        assert_eq!(answer.header("upgrade"), None, "{answer:?}");
        assert_eq!(answer.header("connection"), Some("close"), "{answer:?}");
        wire.assert_closed_within(Duration::from_secs(5)).await;
    }
}

#[actix_web::test]
async fn a_body_that_mentions_an_upgrade_arrives_unchanged() {
    let things = Things::spawn().await;
    // The second chunk begins with the header's name.
    let chunked = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n\
                   10\r\n{\"text\": \"HTTP/1\r\n18\r\nupgrade: connection: b\"}\r\n0\r\n\r\n";
    let mut wire = things.connect().await;
    wire.send(chunked).await;
    let answer = wire.hear().await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, r#"{"text":"HTTP/1upgrade: connection: b"}"#)
    );
}
