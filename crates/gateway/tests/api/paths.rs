//! Paths and methods: nothing but the named prefixes can be reached, in any spelling.

use crate::test_gateway::TestGateway;

#[actix_web::test]
async fn ambiguous_paths_are_refused_and_reach_no_service() {
    let gateway = TestGateway::open().await;
    for path in [
        "/api/products/../internal",
        "/api/products/..;/internal",
        "/api/products/..;x=y/internal",
        "/api/products/%2e%2e/internal",
        "/api/products/%2E%2e%2finternal",
        "/api/products/.%2e/internal",
        "/api/products%2f..%2finternal",
        "/api/products/%252e%252e/internal",
        "/api/products/%25%32%65",
        "/api/products/a%00b",
        "/api/products/a%0d%0ax-user-id:%20admin",
        "/api/products/\\..\\internal",
        "/api/products/%5c..%5cinternal",
        "//internal/api/products",
        "/api//products",
        "/api/products//7",
        "/./api/products",
        "/api/products/%c0%ae%c0%ae/internal",
        "/api/products/%zz",
        "/api/products/%",
        "*",
    ] {
        gateway.get(path, &[]).await.assert_problem(400, "invalid_path");
    }
    assert!(gateway.backend.received().is_empty());
}

#[actix_web::test]
async fn paths_without_a_route_are_not_found() {
    let gateway = TestGateway::open().await;
    for path in [
        "/",
        "/products",
        "/orders",
        "/internal/revocations",
        "/api/internal",
        "/oauth/token",
        "/reservations",
        "/metrics",
        "/api/metrics",
        "/api/productsx",
        "/API/products",
        "/api/products;/internal",
        "/health",
        "/.well-knownx",
    ] {
        gateway.get(path, &[]).await.assert_problem(404, "not_found");
    }
    assert!(gateway.backend.received().is_empty());
}

#[actix_web::test]
async fn a_path_has_one_spelling_inside() {
    let gateway = TestGateway::open().await;
    for (outside, inside) in [
        ("/api/products", "GET /products"),
        ("/api/products/", "GET /products/"),
        ("/%61pi/pro%64ucts/%7e", "GET /products/~"),
        (
            "/api/products/a%20b?q=%2F..%2F&x=//",
            "GET /products/a%20b?q=%2F..%2F&x=//",
        ),
        ("/api/products?", "GET /products?"),
        ("/.well-known/jwks.json", "GET /.well-known/jwks.json"),
        ("http://shop.example/api/products", "GET /products"),
    ] {
        gateway.get(outside, &[]).await.assert_forwarded("anonymous");
        assert_eq!(gateway.backend.last().target(), inside);
    }
}

#[actix_web::test]
async fn headers_change_neither_path_nor_method() {
    let gateway = TestGateway::open().await;
    let lines = [
        "x-original-url: /internal",
        "x-rewrite-url: /internal",
        "x-http-method-override: DELETE",
        "x-http-method: DELETE",
        "x-method-override: DELETE",
        "x_http_method_override: DELETE",
        "x-forwarded-prefix: /internal",
    ];
    gateway
        .get("/api/products", &lines)
        .await
        .assert_forwarded("anonymous");
    let received = gateway.backend.only();
    assert_eq!(received.target(), "GET /products");
    for line in lines {
        let name = line.split(':').next().unwrap();
        assert_eq!(received.header(name), None, "{}", received.head);
    }
}

#[actix_web::test]
async fn only_the_usual_methods_are_forwarded() {
    let gateway = TestGateway::open().await;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let answer = gateway
            .send(&format!("{method} /api/products HTTP/1.1"), &[], "")
            .await;
        answer.assert_forwarded("anonymous");
        assert_eq!(gateway.backend.last().target(), format!("{method} /products"));
    }
    let head = gateway.send("HEAD /api/products HTTP/1.1", &[], "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let forwarded = gateway.backend.received().len();
    for line in [
        "TRACE /api/products HTTP/1.1",
        "PURGE /api/products HTTP/1.1",
        "get /api/products HTTP/1.1",
        "CONNECT localhost:8082 HTTP/1.1",
        "PRI /api/products HTTP/1.1",
    ] {
        let answer = gateway.send(line, &[], "").await;
        answer.assert_problem(405, "method_not_allowed");
        assert!(answer.header("allow").unwrap().contains("PATCH"));
    }
    assert_eq!(gateway.backend.received().len(), forwarded);
}

#[actix_web::test]
async fn the_gateway_has_its_own_pages() {
    let gateway = TestGateway::open().await;
    let answer = gateway.get("/health/live", &[]).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, r#"{"status":"live"}"#)
    );
    let answer = gateway.get("/health/ready", &[]).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, r#"{"status":"ready"}"#)
    );
    let answer = gateway.get("/docs", &[]).await;
    assert_eq!((answer.status, answer.header("location")), (308, Some("/docs/")));
    let answer = gateway.get("/docs/", &[]).await;
    assert_eq!(answer.header("x-frame-options"), Some("DENY"));
    assert_eq!(
        answer.header("content-security-policy"),
        Some("frame-ancestors 'none'")
    );
    assert_eq!(answer.header("content-type"), Some("text/html"));
    assert!(answer.body.contains("swagger"), "{}", answer.body);
    gateway
        .get("/docs/no-such-file", &[])
        .await
        .assert_problem(404, "not_found");
    let answer = gateway.send("DELETE /health/live HTTP/1.1", &[], "").await;
    answer.assert_problem(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    assert!(gateway.backend.received().is_empty());
}
