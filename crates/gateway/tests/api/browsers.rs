//! Browsers: cookies, the cross-site rule, and cross-origin requests.

use crate::test_gateway::TestGateway;

#[actix_web::test]
async fn the_access_cookie_becomes_a_bearer_token_and_other_cookies_end_here() {
    let gateway = TestGateway::open().await;
    let user = gateway.issuer.as_user();
    let cookie = format!(
        "cookie: a=b; countersign_access={}; countersign_refresh=r; c=d",
        user.token()
    );
    for (path, passed) in [
        ("/api/orders", None),
        ("/auth/sessions", Some("countersign_refresh=r")),
    ] {
        gateway
            .get(path, &[&cookie])
            .await
            .assert_forwarded(&user.user().id().to_string());
        let received = gateway.backend.last();
        assert_eq!(received.header("cookie"), passed);
        assert_eq!(
            received.header("authorization"),
            Some(format!("Bearer {}", user.token()).as_str())
        );
    }
    // The other form of the name is for https.
    let other = cookie.replace("countersign_access", "__Host-countersign-access");
    gateway
        .get("/api/orders", &[&other])
        .await
        .assert_problem(401, "no_token");
}

#[actix_web::test]
async fn the_access_cookie_counts_beside_another_scheme_and_beside_foreign_cookies() {
    let gateway = TestGateway::open().await;
    let user = gateway.issuer.as_user();
    let cookie = format!("cookie: city=Z\u{fc}rich; countersign_access={}", user.token());
    gateway
        .get("/api/orders", &["authorization: Basic YTpi", &cookie])
        .await
        .assert_forwarded(&user.user().id().to_string());
    assert_eq!(
        gateway.backend.only().all("authorization"),
        [format!("Bearer {}", user.token())]
    );
}

#[actix_web::test]
async fn over_https_the_cookie_has_the_host_prefix() {
    let gateway = TestGateway::open_with(&[
        ("PUBLIC_URL", "https://shop.example"),
        ("AUTH_ISSUER", "http://localhost:8080"),
    ])
    .await;
    let user = gateway.issuer.as_user();
    let cookie = format!("cookie: __Host-countersign-access={}", user.token());
    gateway
        .get("/api/orders", &[&cookie])
        .await
        .assert_forwarded(&user.user().id().to_string());
    let plain = cookie.replace("__Host-countersign-access", "countersign_access");
    gateway
        .get("/api/orders", &[&plain])
        .await
        .assert_problem(401, "no_token");
}

#[actix_web::test]
async fn an_unsafe_request_with_cookies_must_come_from_this_site() {
    let gateway = TestGateway::open_with(&[("CORS_ORIGINS", "https://app.example")]).await;
    let user = gateway.issuer.as_user();
    let id = user.user().id().to_string();
    let cookie = format!("cookie: countersign_access={}", user.token());
    let refresh = "cookie: countersign_refresh=r";
    let post = async |path: &str, cookie: &str, line: &str| {
        gateway
            .send(&format!("POST {path} HTTP/1.1"), &[cookie, line], "")
            .await
    };
    let foreign = [
        "origin: https://evil.example",
        "origin: null",
        "sec-fetch-site: cross-site",
        "sec-fetch-site: same-site",
    ];
    let unknown = ["x: y", "referer: http://localhost:8080/"];
    for refused in foreign.into_iter().chain(unknown) {
        for (path, cookie) in [
            ("/api/orders", cookie.as_str()),
            ("/api/cart", "cookie: cart=1"),
            ("/api/cart", "cookie: cart="),
        ] {
            post(path, cookie, refused)
                .await
                .assert_problem(403, "cross_site");
        }
    }
    for refused in foreign {
        for cookie in [refresh, "cookie: countersign_refresh=r; countersign_refresh=r"] {
            post("/auth/refresh", cookie, refused)
                .await
                .assert_problem(403, "cross_site");
        }
    }
    assert!(gateway.backend.received().is_empty());
    // user-service knows whether its cookies count, and itself refuses such a request.
    for forwarded in unknown {
        post("/auth/refresh", refresh, forwarded)
            .await
            .assert_forwarded("anonymous");
    }
    for admitted in [
        "origin: http://localhost:8080",
        "origin: https://app.example",
        "sec-fetch-site: same-origin",
        "sec-fetch-site: none",
    ] {
        post("/api/orders", &cookie, admitted).await.assert_forwarded(&id);
        post("/auth/refresh", refresh, admitted)
            .await
            .assert_forwarded("anonymous");
    }
    // Reading, cookies that the gateway does not use, and bearer tokens are not concerned.
    gateway
        .get("/api/orders", &[&cookie, "origin: https://evil.example"])
        .await
        .assert_forwarded(&id);
    let bearer = format!("authorization: Bearer {}", user.token());
    post("/api/orders", &bearer, "origin: https://evil.example")
        .await
        .assert_forwarded(&id);
    post("/api/orders", &bearer, "cookie: tracking=1")
        .await
        .assert_forwarded(&id);
}

#[actix_web::test]
async fn preflights_are_answered_for_allowed_origins_only() {
    let gateway =
        TestGateway::open_with(&[("CORS_ORIGINS", "https://app.example, http://localhost:5173")]).await;
    for origin in ["https://app.example", "http://localhost:5173"] {
        let lines = [
            &format!("origin: {origin}"),
            "access-control-request-method: DELETE",
        ];
        let page = gateway.send("OPTIONS /openapi.json HTTP/1.1", &lines, "").await;
        assert_eq!(
            (page.status, page.header("access-control-allow-origin")),
            (204, Some(origin))
        );
        let answer = gateway.send("OPTIONS /api/products/1 HTTP/1.1", &lines, "").await;
        assert_eq!((answer.status, answer.body.as_str()), (204, ""));
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        assert!(
            answer
                .header("access-control-allow-methods")
                .unwrap()
                .contains("DELETE")
        );
        assert!(
            answer
                .header("access-control-allow-headers")
                .unwrap()
                .contains("authorization")
        );
    }
    let lines = [
        "origin: https://evil.example",
        "access-control-request-method: DELETE",
    ];
    let answer = gateway.send("OPTIONS /api/products/1 HTTP/1.1", &lines, "").await;
    answer.assert_problem(403, "origin_not_allowed");
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert!(gateway.backend.received().is_empty());
}

#[actix_web::test]
async fn pages_of_allowed_origins_may_read_responses() {
    let gateway = TestGateway::open_with(&[("CORS_ORIGINS", "https://app.example")]).await;
    for path in [
        "/api/products",
        "/api/products/hop-by-hop",
        "/no-such-path",
        "/api/orders",
    ] {
        let answer = gateway.get(path, &["origin: https://app.example"]).await;
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some("https://app.example"),
            "{path}"
        );
        assert_eq!(answer.header("vary"), Some("origin"));
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        let answer = gateway.get(path, &["origin: https://evil.example"]).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
        assert_eq!(answer.header("access-control-allow-credentials"), None, "{path}");
        assert_eq!(answer.header("vary"), Some("origin"));
    }
}

#[actix_web::test]
async fn a_request_that_is_no_preflight_reaches_the_service() {
    let gateway = TestGateway::open_with(&[("CORS_ORIGINS", "https://app.example")]).await;
    let origin = "origin: https://app.example";
    for (method, lines) in [
        ("OPTIONS", &[origin][..]),
        ("GET", &[origin, "access-control-request-method: DELETE"]),
        ("OPTIONS", &["access-control-request-method: DELETE"]),
    ] {
        let answer = gateway
            .send(&format!("{method} /api/products HTTP/1.1"), lines, "")
            .await;
        answer.assert_forwarded("anonymous");
    }
}

#[actix_web::test]
async fn without_other_origins_responses_are_the_same_for_all_pages() {
    let gateway = TestGateway::open().await;
    let answer = gateway
        .get("/api/products", &["origin: http://localhost:8080"])
        .await;
    answer.assert_forwarded("anonymous");
    assert_eq!(answer.header("vary"), None);
}
