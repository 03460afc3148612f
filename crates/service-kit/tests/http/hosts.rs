//! The `Host` header (RFC 9110 §7.2, RFC 9112 §3.2).

use serde_json::Value;

use crate::test_service::Things;

#[actix_web::test]
async fn a_valid_host_is_accepted() {
    let things = Things::spawn().await;
    let mut wire = things.connect().await;
    for host in [
        "",
        "a",
        "localhost:8080",
        "127.0.0.1",
        "[::1]:8080",
        "shop.example.com:443",
        "EXAMPLE.com.",
    ] {
        wire.send(format!("GET /id HTTP/1.1\r\nhost: {host}\r\n\r\n"))
            .await;
        assert_eq!(wire.hear().await.status, 200, "{host}");
    }
    wire.send("GET /id HTTP/1.0\r\n\r\n").await;
    assert_eq!(wire.hear().await.status, 200);
}

#[actix_web::test]
async fn an_invalid_host_is_refused_on_every_path() {
    let things = Things::spawn().await;
    let mut wire = things.connect().await;
    for host in [
        "a b",
        "user@example.com",
        "a:b",
        "a:65536",
        "a:1:2",
        "[::1",
        "::1",
        "http://a",
        "a/b",
        ":80",
    ] {
        for path in ["/id", "/no", "/admin", "/health/live"] {
            wire.send(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n"))
                .await;
            let refused = wire.hear().await;
            refused.assert_problem(400, "invalid_header");
            let body: Value = serde_json::from_str(&refused.body).expect("JSON");
            assert_eq!(body["detail"], "The header Host is invalid.");
        }
    }
    wire.assert_works().await;
}

/// The parser refuses these, before there is a request that has an id.
#[actix_web::test]
async fn a_missing_or_repeated_host_is_refused() {
    let things = Things::spawn().await;
    for headers in ["", "host: a\r\nhost: b\r\n", "host: a\r\nHost: a\r\n"] {
        let mut wire = things.connect().await;
        wire.send(format!("GET /id HTTP/1.1\r\n{headers}\r\n")).await;
        wire.hear().await.assert_problem(400, "bad_request");
        assert!(wire.hear_or_end().await.is_none(), "{headers}");
    }
}
