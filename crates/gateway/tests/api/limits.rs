//! Limits: how much and how often a client may send.

use tokio::io::AsyncWriteExt as _;

use crate::client::{Answer, read_to_end};
use crate::program::Program;
use crate::test_gateway::TestGateway;

#[actix_web::test]
async fn heads_that_are_too_long_are_refused() {
    let gateway = TestGateway::open().await;
    let megabyte = "a".repeat(1024 * 1024);
    let many = "x: a\r\n".repeat(200);
    for (line, status, code) in [
        (
            format!("GET /api/products HTTP/1.1\r\nx: {megabyte}\r\n"),
            431,
            "headers_too_large",
        ),
        (
            format!("GET /api/products HTTP/1.1\r\n{many}"),
            431,
            "headers_too_large",
        ),
        (
            format!("GET /api/products?{megabyte} HTTP/1.1\r\n"),
            431,
            "headers_too_large",
        ),
    ] {
        let text = gateway.raw(format!("{line}host: a\r\n\r\n")).await;
        Answer::parse(&text).assert_problem(status, code);
    }
    assert!(gateway.backend.received().is_empty());
    let long = format!("x: {}", "a".repeat(20_000));
    gateway
        .get("/api/products", &[&long])
        .await
        .assert_forwarded("anonymous");
}

#[actix_web::test]
async fn an_address_may_send_a_burst_and_then_waits() {
    let gateway = TestGateway::open().await;
    for _ in 0..6 {
        gateway
            .get("/api/limited", &[])
            .await
            .assert_forwarded("anonymous");
    }
    let answer = gateway
        .get("/api/limited", &["x-forwarded-for: 198.51.100.1"])
        .await;
    answer.assert_problem(429, "rate_limited");
    let retry_after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=20).contains(&retry_after), "{retry_after}");
    // An invalid token does not make the client another one.
    let invalid = gateway.get("/api/limited", &["authorization: Bearer x"]).await;
    invalid.assert_problem(429, "rate_limited");

    // Other routes and users behind the same address are not affected.
    gateway
        .get("/api/products", &[])
        .await
        .assert_forwarded("anonymous");
    for _ in 0..2 {
        let user = gateway.issuer.as_user();
        let bearer = format!("authorization: Bearer {}", user.token());
        for _ in 0..6 {
            gateway
                .get("/api/limited", &[&bearer])
                .await
                .assert_forwarded(&user.user().id().to_string());
        }
        gateway
            .get("/api/limited", &[&bearer])
            .await
            .assert_problem(429, "rate_limited");
    }
}

#[actix_web::test]
async fn the_rate_limit_comes_before_401_and_before_403() {
    let gateway = TestGateway::open_with(&[("RATE_LIMIT", "2/m")]).await;
    for _ in 0..4 {
        gateway
            .get("/api/orders", &[])
            .await
            .assert_problem(401, "no_token");
    }
    for line in ["x: y", "authorization: Bearer x"] {
        gateway
            .get("/api/orders", &[line])
            .await
            .assert_problem(429, "rate_limited");
    }

    // A user has another limit than the address.
    let cookie = format!("cookie: countersign_access={}", gateway.issuer.as_user().token());
    let lines = [cookie.as_str(), "origin: https://evil.example"];
    for path in ["/api/products", "/api/orders", "/api/products", "/api/orders"] {
        gateway
            .send(&format!("POST {path} HTTP/1.1"), &lines, "")
            .await
            .assert_problem(403, "cross_site");
    }
    for path in ["/api/products", "/api/orders"] {
        gateway
            .send(&format!("POST {path} HTTP/1.1"), &lines, "")
            .await
            .assert_problem(429, "rate_limited");
    }
    assert!(gateway.backend.received().is_empty());
}

#[actix_web::test]
async fn the_default_limit_is_configured() {
    let gateway = TestGateway::open_with(&[("RATE_LIMIT", "2/m")]).await;
    for _ in 0..4 {
        gateway
            .get("/api/products", &[])
            .await
            .assert_forwarded("anonymous");
    }
    gateway
        .get("/auth/login", &[])
        .await
        .assert_problem(429, "rate_limited");
}

#[actix_web::test]
async fn requests_without_a_route_have_the_default_limit() {
    let gateway = TestGateway::open_with(&[("RATE_LIMIT", "2/m")]).await;
    for path in ["/nothing", "/docs", "/docs/", "/nothing"] {
        assert_ne!(gateway.get(path, &[]).await.status, 429, "{path}");
    }
    for path in ["/nothing", "/docs", "/openapi.json"] {
        gateway.get(path, &[]).await.assert_problem(429, "rate_limited");
    }
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(gateway.get(path, &[]).await.status, 200, "{path}");
    }
}

/// Ten thousand clients send a part of a head, or nothing at all. Others are answered as usual.
#[actix_web::test]
async fn slow_clients_do_not_keep_others_waiting() {
    // In its own process, which has its own file descriptors.
    let program = Program::start(&[]).await;
    let gateway = program.client();
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    // The gateway keeps half of its file descriptors for connections to services.
    let count = files.map_or(10_000, |files| (files / 2).saturating_sub(500).min(10_000));
    assert!(count > 200, "too few file descriptors for this test: {files:?}");
    let mut slow = Vec::new();
    for number in 0..count {
        let mut stream = gateway.connect().await;
        if number % 2 == 0 {
            stream
                .write_all(b"GET /api/products HTTP/1.1\r\nx")
                .await
                .unwrap();
        }
        slow.push(stream);
        if number % 500 == 0 {
            gateway
                .get("/api/products", &[])
                .await
                .assert_forwarded("anonymous");
        }
    }
    for _ in 0..20 {
        let started = tokio::time::Instant::now();
        gateway
            .get("/api/products", &[])
            .await
            .assert_forwarded("anonymous");
        assert!(
            started.elapsed() < std::time::Duration::from_secs(1),
            "{:?}",
            started.elapsed()
        );
    }
    // Clients with a part of a head and clients without a byte get 408 in the end. A sample of both stands for all.
    let last = slow.len() - 1;
    for index in [0, 1, last / 2, last / 2 + 1, last - 1, last] {
        let text = read_to_end(&mut slow[index]).await;
        Answer::parse(&text).assert_problem(408, "request_timeout");
    }
}
