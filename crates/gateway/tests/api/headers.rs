//! Headers: those that end at the gateway, and those that the gateway sets.

use crate::test_gateway::TestGateway;

#[actix_web::test]
async fn identity_headers_of_clients_reach_no_service() {
    let gateway = TestGateway::open().await;
    let lines = [
        "x-user-id: admin",
        "X-USER-ID: admin",
        "x_user_id: admin",
        "X-User_Role: admin",
        "x.user.roles: admin",
        "x-service-name: order-service",
        "x-internal-token: a",
        "x-countersign-identity: a",
        "forwarded: for=1.2.3.4",
        "x-forwarded-for: 1.2.3.4",
        "x-forwarded-host: evil.example",
        "x-real-ip: 1.2.3.4",
        "x-custom: kept",
    ];
    gateway
        .get("/api/products", &lines)
        .await
        .assert_forwarded("anonymous");
    let received = gateway.backend.only();
    assert_eq!(received.header("x-custom"), Some("kept"));
    assert_eq!(received.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(received.header("x-forwarded-proto"), Some("http"));
    assert_eq!(received.header("x-forwarded-host"), Some("localhost"));
    assert_eq!(
        received.header("host"),
        Some(gateway.backend.address.to_string().as_str())
    );
    for forged in ["admin", "1.2.3.4", "evil", "order-service", ": a\r\n"] {
        assert!(!received.head.contains(forged), "{}", received.head);
    }
}

#[actix_web::test]
async fn connection_can_not_remove_what_the_gateway_sets() {
    let gateway = TestGateway::open().await;
    let bearer = gateway.bearer();
    let lines = [
        bearer.as_str(),
        "connection: x-user-id, x-user-role, x-request-id, x-forwarded-for, authorization, host, x-mine",
        "connection: origin, content-type, content-length",
        "origin: http://localhost:8080",
        "content-type: text/plain",
        "content-length: 0",
        "x-mine: a",
        "keep-alive: timeout=5",
        "te: trailers",
    ];
    let answer = gateway.get("/api/orders", &lines).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let received = gateway.backend.only();
    for name in [
        "x-user-id",
        "x-user-role",
        "x-request-id",
        "x-forwarded-for",
        "authorization",
        "host",
        "origin",
        "content-type",
        "content-length",
    ] {
        assert!(received.header(name).is_some(), "{name}: {}", received.head);
    }
    for name in ["connection", "x-mine", "keep-alive", "te"] {
        assert_eq!(received.header(name), None, "{}", received.head);
    }
}

#[actix_web::test]
async fn headers_of_the_connection_to_the_service_reach_no_client() {
    let gateway = TestGateway::open().await;
    let answer = gateway.get("/api/products/hop-by-hop", &[]).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
    assert_eq!(answer.header("x-outer"), Some("1"));
    for name in [
        "x-inner",
        "keep-alive",
        "proxy-connection",
        "access-control-allow-origin",
        "alt-svc",
        "clear-site-data",
    ] {
        assert_eq!(answer.header(name), None, "{answer:?}");
    }
    assert_eq!(answer.header("connection"), Some("close"));
}

#[actix_web::test]
async fn a_plain_request_id_is_kept_and_any_other_replaced() {
    let gateway = TestGateway::open().await;
    for (sent, is_kept) in [
        ("an-id_1.2", true),
        ("with space", false),
        ("", false),
        (&"a".repeat(128), true),
        (&"a".repeat(129), false),
    ] {
        let answer = gateway
            .get("/api/products", &[&format!("x-request-id: {sent}")])
            .await;
        let id = answer.header("x-request-id").unwrap();
        assert_eq!(id == sent, is_kept, "{sent}: {id}");
        assert_eq!(gateway.backend.last().header("x-request-id"), Some(id));
    }
}

#[actix_web::test]
async fn the_trace_goes_on() {
    let gateway = TestGateway::open().await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    gateway
        .get(
            "/api/products",
            &[&format!("traceparent: {trace}"), "tracestate: a=b"],
        )
        .await;
    let received = gateway.backend.last();
    assert_eq!(received.header("traceparent"), Some(trace));
    assert_eq!(received.header("tracestate"), Some("a=b"));

    gateway
        .get("/api/products", &["traceparent: 00-nonsense", "tracestate: a=b"])
        .await;
    let received = gateway.backend.last();
    assert_eq!(received.header("traceparent").unwrap().len(), trace.len());
    assert_eq!(received.header("tracestate"), None);
}

#[actix_web::test]
async fn a_location_leads_through_the_gateway() {
    let gateway = TestGateway::open().await;
    let answer = gateway.send("POST /api/products/created HTTP/1.1", &[], "").await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (201, Some("/api/products/7?a=b#c"))
    );
    let answer = gateway.get("/api/products/elsewhere", &[]).await;
    assert_eq!(
        answer.header("location"),
        Some("https://elsewhere.example/products/7")
    );
}

#[actix_web::test]
async fn a_trusted_proxy_names_the_client() {
    let gateway = TestGateway::open_with(&[("TRUSTED_PROXIES", "127.0.0.0/8,10.0.0.0/8")]).await;
    let lines = [
        "x-forwarded-for: 198.51.100.1, 203.0.113.7",
        "x-forwarded-for: 10.0.0.9",
        // The first one is the client's own.
        "x-forwarded-proto: http, HTTPS",
    ];
    gateway
        .get("/api/products", &lines)
        .await
        .assert_forwarded("anonymous");
    let received = gateway.backend.only();
    assert_eq!(received.header("x-forwarded-for"), Some("203.0.113.7"));
    assert_eq!(received.header("x-forwarded-proto"), Some("https"));
}

#[actix_web::test]
async fn the_gateway_adds_itself_to_via() {
    let gateway = TestGateway::open().await;
    for (request_line, entry) in [
        ("GET /api/products HTTP/1.1", "1.1 countersign"),
        ("GET /api/products HTTP/1.0", "1.0 countersign"),
    ] {
        gateway.send(request_line, &["via: 1.1 proxy"], "").await;
        assert_eq!(gateway.backend.last().all("via"), ["1.1 proxy", entry]);
    }
}
