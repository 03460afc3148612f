//! Session cookies: bad ones, ambiguous ones, long ones, and those that services set.

use crate::test_gateway::TestGateway;

const REMOVAL: &str = "countersign_access=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax";

/// Access cookies that are not tokens of the issuer.
fn bad_cookies(gateway: &TestGateway) -> Vec<String> {
    let token = gateway.issuer.as_user().token();
    let cookie = |value: &str| format!("cookie: countersign_access={value}");
    vec![
        format!("{}; countersign_access={token}", cookie(&token)),
        cookie(""),
        cookie(&token[..token.len() - 4]),
        cookie(&gateway.issuer.as_user().signed_by_a_stranger().token()),
        cookie(&"a".repeat(9_000)),
    ]
}

#[actix_web::test]
async fn a_bad_access_cookie_counts_as_none_and_is_removed() {
    let gateway = TestGateway::open().await;
    let user = gateway.issuer.as_user();
    let id = user.user().id().to_string();
    let bearer = format!("authorization: Bearer {}", user.token());
    let own = "origin: http://localhost:8080";
    for bad in bad_cookies(&gateway) {
        let answer = gateway.get("/api/orders", &[&bad]).await;
        answer.assert_problem(401, "no_token");
        assert_eq!(answer.header("set-cookie"), Some(REMOVAL));
        assert_eq!(
            answer.header("www-authenticate"),
            Some(r#"Bearer realm="countersign""#)
        );

        // Where no token is required, the service receives none, and a new login is possible. No page of this site has to say so.
        for (line, lines) in [
            ("GET /api/products HTTP/1.1", &[bad.as_str()][..]),
            ("POST /api/products HTTP/1.1", &[&bad]),
            ("POST /auth/login HTTP/1.1", &[&bad]),
            ("POST /auth/login HTTP/1.1", &[&bad, own]),
        ] {
            let answer = gateway.send(line, lines, "").await;
            answer.assert_forwarded("anonymous");
            assert_eq!(answer.header("set-cookie"), Some(REMOVAL), "{line}");
            let received = gateway.backend.last();
            assert_eq!(
                (received.header("cookie"), received.header("authorization")),
                (None, None)
            );
        }

        // A bearer token beside it decides alone.
        for method in ["GET", "POST"] {
            let line = format!("{method} /api/orders HTTP/1.1");
            let answer = gateway.send(&line, &[&bad, &bearer], "").await;
            answer.assert_forwarded(&id);
            assert_eq!(answer.header("set-cookie"), Some(REMOVAL));
        }
        let answer = gateway
            .get("/api/orders", &[&bad, "authorization: Bearer x"])
            .await;
        answer.assert_problem(401, "invalid_token");
        assert_eq!(answer.header("set-cookie"), Some(REMOVAL));
    }
}

#[actix_web::test]
async fn an_expired_or_revoked_access_cookie_is_kept() {
    let gateway = TestGateway::open().await;
    for (token, code) in [
        (gateway.issuer.as_user().expired().token(), "token_expired"),
        (gateway.issuer.as_user().revoked().token(), "token_revoked"),
    ] {
        let cookie = format!("cookie: countersign_access={token}");
        let answer = gateway.get("/api/orders", &[&cookie]).await;
        answer.assert_problem(401, code);
        assert_eq!(answer.header("set-cookie"), None);
        let answer = gateway.get("/auth/current-user", &[&cookie]).await;
        answer.assert_forwarded("anonymous");
        assert_eq!(answer.header("set-cookie"), None);
    }
}

#[actix_web::test]
async fn a_bearer_token_and_another_users_cookie_are_refused() {
    let gateway = TestGateway::open().await;
    let (ada, bob) = (gateway.issuer.as_user(), gateway.issuer.as_user());
    let cookie = format!("cookie: countersign_access={}", ada.token());
    let same = format!("authorization: Bearer {}", ada.token());
    for path in ["/api/orders", "/api/products", "/auth/login"] {
        for other in [bob.token(), "x".to_owned(), String::new()] {
            let bearer = format!("authorization: Bearer {other}");
            let answer = gateway.get(path, &[&cookie, &bearer]).await;
            answer.assert_problem(400, "invalid_request");
            assert_eq!(answer.header("set-cookie"), None);
        }
        let id = ada.user().id().to_string();
        gateway.get(path, &[&cookie, &same]).await.assert_forwarded(&id);
    }
}

/// Browsers send at most 4 KiB for each cookie, but many cookies.
#[actix_web::test]
async fn long_cookies_lock_no_user_out_until_the_head_is_too_long() {
    let gateway = TestGateway::open().await;
    let many = |bytes: usize| {
        let cookies = (0..bytes / 1_000).map(|number| format!("c{number}={}", "a".repeat(990)));
        cookies.collect::<Vec<_>>().join("; ")
    };
    for bytes in [10_000, 20_000] {
        let logout = async |cookie: &str| {
            let lines = [cookie, "origin: http://localhost:8080"];
            gateway.send("POST /auth/logout HTTP/1.1", &lines, "").await
        };
        // One that is too long for a token counts as none.
        let cookie = format!("cookie: countersign_access={}", "a".repeat(bytes));
        let answer = logout(&cookie).await;
        answer.assert_forwarded("anonymous");
        assert_eq!(answer.header("set-cookie"), Some(REMOVAL));
        // Those of other names stay here.
        logout(&format!("cookie: {}; countersign_refresh=r", many(bytes)))
            .await
            .assert_forwarded("anonymous");
        assert_eq!(
            gateway.backend.last().header("cookie"),
            Some("countersign_refresh=r")
        );
    }
    let cookie = format!("cookie: countersign_access={}", "a".repeat(100_000));
    gateway
        .get("/auth/current-user", &[&cookie])
        .await
        .assert_problem(431, "headers_too_large");
    gateway
        .get("/auth/current-user", &[&format!("cookie: {}", many(100_000))])
        .await
        .assert_problem(431, "headers_too_large");
}

#[actix_web::test]
async fn a_logout_that_the_gateway_refuses_removes_the_cookies_too() {
    let gateway = TestGateway::open().await;
    let cookie = format!("cookie: countersign_access={}", gateway.issuer.as_user().token());
    let bearer = gateway.bearer();
    let logout = async |lines: &[&str]| gateway.send("POST /auth/logout HTTP/1.1", lines, "").await;
    let removals = [REMOVAL, &REMOVAL.replace("access", "refresh")];
    let answer = logout(&[&cookie, &bearer]).await;
    answer.assert_problem(400, "invalid_request");
    assert_eq!(answer.all("set-cookie"), removals);
    let answer = logout(&["content-length: 9000000"]).await;
    answer.assert_problem(413, "payload_too_large");
    assert_eq!(answer.all("set-cookie"), removals);

    // But not one that a page of another site causes, and no other request.
    for lines in [
        &[cookie.as_str()][..],
        &[&cookie, "origin: https://evil.example"],
        &["origin: https://evil.example", "content-length: 9000000"],
    ] {
        let answer = logout(lines).await;
        assert!([403, 413].contains(&answer.status), "{answer:?}");
        assert_eq!(answer.all("set-cookie"), [""; 0]);
    }
    let answer = gateway.get("/auth/logout", &[&cookie, &bearer]).await;
    answer.assert_problem(400, "invalid_request");
    assert_eq!(answer.all("set-cookie"), [""; 0]);
    // The service's own response decides.
    let answer = logout(&[&cookie, "origin: http://localhost:8080"]).await;
    assert_eq!((answer.status, answer.all("set-cookie").len()), (200, 0));
}

#[actix_web::test]
async fn a_logout_that_fails_behind_the_gateway_removes_the_cookies_too() {
    let gateway = TestGateway::open().await;
    let removals = [REMOVAL, &REMOVAL.replace("access", "refresh")];
    // The backend chooses its behaviour by the end of the target.
    for (behaviour, status) in [("failing", 500), ("reset", 502), ("junk", 502), ("hang", 504)] {
        let line = format!("POST /auth/logout?/{behaviour} HTTP/1.1");
        let answer = gateway.send(&line, &["origin: http://localhost:8080"], "").await;
        assert_eq!(answer.status, status, "{behaviour}: {answer:?}");
        assert_eq!(answer.all("set-cookie"), removals, "{behaviour}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{behaviour}");
    }
    for line in [
        "POST /auth/login?/failing HTTP/1.1",
        "GET /auth/logout?/failing HTTP/1.1",
    ] {
        let answer = gateway.send(line, &[], "").await;
        assert_eq!(
            (answer.status, answer.all("set-cookie").len()),
            (500, 0),
            "{line}"
        );
    }
}

#[actix_web::test]
async fn a_logout_beyond_the_rate_limit_removes_the_cookies_too() {
    let gateway = TestGateway::open_with(&[("RATE_LIMIT", "1/m")]).await;
    let logout = async || gateway.send("POST /auth/logout HTTP/1.1", &[], "").await;
    // The limit allows a burst.
    for _ in 0..2 {
        logout().await.assert_forwarded("anonymous");
    }
    let answer = logout().await;
    answer.assert_problem(429, "rate_limited");
    assert_eq!(
        answer.all("set-cookie"),
        [REMOVAL, &REMOVAL.replace("access", "refresh")]
    );
}

#[actix_web::test]
async fn over_https_the_removal_is_secure_and_has_the_host_prefix() {
    let gateway = TestGateway::open_with(&[("PUBLIC_URL", "https://shop.example")]).await;
    let answer = gateway.send("POST /auth/logout?/failing HTTP/1.1", &[], "").await;
    assert_eq!(
        answer.all("set-cookie"),
        ["access", "refresh"].map(|name| format!(
            "__Host-countersign-{name}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure"
        ))
    );
}

/// A browser adds the credentials of HTTP Basic and Negotiate itself.
#[actix_web::test]
async fn only_a_bearer_token_lets_the_logout_of_a_page_of_another_site_remove_cookies() {
    let gateway = TestGateway::open().await;
    let bearer = gateway.bearer();
    for (authorization, removed) in [
        ("authorization: Basic YTpi", 0),
        ("authorization: Negotiate YTpi", 0),
        (bearer.as_str(), 2),
        ("authorization: bearer x", 2),
    ] {
        let lines = [
            authorization,
            "origin: https://evil.example",
            "content-length: 9000000",
        ];
        let answer = gateway.send("POST /auth/logout HTTP/1.1", &lines, "").await;
        answer.assert_problem(413, "payload_too_large");
        assert_eq!(answer.all("set-cookie").len(), removed, "{authorization}");
    }
}

#[actix_web::test]
async fn only_user_service_sets_the_platforms_cookies() {
    let gateway = TestGateway::open().await;
    let of_user_service = gateway.get("/auth/cookies", &[]).await;
    assert_eq!(
        of_user_service.all("set-cookie"),
        [
            "countersign_access=a; Path=/",
            "__Host-countersign-refresh=a; Path=/; Secure",
            "theme=dark",
        ]
    );
    let of_another = gateway.get("/api/products/cookies", &[]).await;
    assert_eq!(of_another.all("set-cookie"), ["theme=dark"]);
}

#[actix_web::test]
async fn a_cookie_that_the_service_sets_is_not_removed() {
    let gateway = TestGateway::open().await;
    let answer = gateway
        .get("/auth/cookies", &["cookie: countersign_access=nonsense"])
        .await;
    assert!(!answer.all("set-cookie").contains(&REMOVAL), "{answer:?}");
    assert_eq!(answer.all("set-cookie").len(), 3);
}

#[actix_web::test]
async fn user_service_receives_where_a_request_comes_from() {
    let gateway = TestGateway::open().await;
    let lines = [
        "origin: https://evil.example",
        "sec-fetch-site: cross-site",
        "connection: origin, sec-fetch-site",
    ];
    gateway
        .send("POST /auth/login?session=cookie HTTP/1.1", &lines, "")
        .await
        .assert_forwarded("anonymous");
    let received = gateway.backend.only();
    assert_eq!(received.header("origin"), Some("https://evil.example"));
    assert_eq!(received.header("sec-fetch-site"), Some("cross-site"));
}
