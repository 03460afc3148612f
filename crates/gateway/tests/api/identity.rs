//! Callers: the gateway verifies users' tokens, and each request has the identity of its caller.

use futures_util::future::join_all;
use tokio::io::AsyncWriteExt as _;

use crate::client::read_until;
use crate::test_gateway::TestGateway;

#[actix_web::test]
async fn a_route_that_requires_a_token_refuses_requests_without_a_valid_one() {
    let gateway = TestGateway::open().await;
    let issuer = &gateway.issuer;
    let tokens = [
        (issuer.as_user().signed_by_a_stranger(), "invalid_token"),
        (issuer.as_user().wrong_audience(), "invalid_token"),
        (issuer.as_user().expired(), "token_expired"),
        (issuer.as_user().revoked(), "token_revoked"),
    ];
    for (token, code) in tokens {
        let line = format!("authorization: Bearer {}", token.token());
        let answer = gateway.get("/api/orders", &[&line]).await;
        answer.assert_problem(401, code);
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.contains(r#"error="invalid_token""#), "{challenge}");
    }
    for (line, code) in [
        ("x: y", "no_token"),
        ("authorization: Basic YTpi", "no_token"),
        ("authorization: Bearer", "invalid_token"),
        ("authorization: Bearer ", "invalid_token"),
        ("authorization: Bearer \u{e9}", "invalid_token"),
        ("authorization: Bearer  a.b.c", "invalid_token"),
    ] {
        gateway
            .get("/api/orders", &[line])
            .await
            .assert_problem(401, code);
    }
    let answer = gateway.get("/api/orders", &[]).await;
    answer.assert_problem(401, "no_token");
    assert_eq!(
        answer.header("www-authenticate"),
        Some(r#"Bearer realm="countersign""#)
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));

    let service = format!(
        "authorization: Bearer {}",
        issuer.as_service("order-service").token()
    );
    gateway
        .get("/api/orders", &[&service])
        .await
        .assert_problem(403, "forbidden");
    assert!(gateway.backend.received().is_empty());
}

#[actix_web::test]
async fn the_service_learns_who_calls() {
    let gateway = TestGateway::open().await;
    let admin = gateway.issuer.as_roles(&["user", "support", "admin"]);
    let line = format!("Authorization: bearer {}", admin.token());
    let answer = gateway.get("/api/orders", &[&line]).await;
    answer.assert_forwarded(&admin.user().id().to_string());
    let received = gateway.backend.only();
    assert_eq!(received.header("x-user-role"), Some("admin"));
    assert_eq!(received.header("x-user-roles"), Some("user,support,admin"));
    assert_eq!(
        received.header("authorization"),
        Some(format!("bearer {}", admin.token()).as_str())
    );
}

#[actix_web::test]
async fn where_a_token_is_optional_the_service_decides_about_bad_ones() {
    let gateway = TestGateway::open().await;
    let user = gateway.issuer.as_user();
    for path in ["/api/products", "/auth/current-user"] {
        let good = format!("authorization: Bearer {}", user.token());
        gateway
            .get(path, &[&good])
            .await
            .assert_forwarded(&user.user().id().to_string());
        let expired = format!(
            "authorization: Bearer {}",
            gateway.issuer.as_user().expired().token()
        );
        for bad in [
            expired.as_str(),
            "authorization: Bearer x",
            "authorization: Basic YTpi",
        ] {
            gateway.get(path, &[bad]).await.assert_forwarded("anonymous");
            let sent = bad.split_once(": ").unwrap().1;
            assert_eq!(gateway.backend.last().header("authorization"), Some(sent));
        }
    }
}

#[actix_web::test]
async fn a_route_that_ignores_tokens_identifies_no_caller() {
    let gateway = TestGateway::open().await;
    let lines = [
        gateway.bearer(),
        format!("cookie: countersign_access={}", gateway.issuer.as_user().token()),
    ];
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    gateway
        .get("/.well-known/jwks.json", &lines)
        .await
        .assert_forwarded("anonymous");
    assert_eq!(gateway.backend.only().header("cookie"), None);
}

#[actix_web::test]
async fn two_credentials_are_ambiguous() {
    let gateway = TestGateway::open().await;
    let (one, other) = (gateway.bearer(), gateway.bearer());
    let cookie = format!("cookie: countersign_access={}", gateway.issuer.as_user().token());
    for path in ["/api/orders", "/api/products"] {
        for second in [&one, &other, &cookie] {
            gateway
                .get(path, &[&one, second])
                .await
                .assert_problem(400, "invalid_request");
        }
    }
    assert!(gateway.backend.received().is_empty());
}

/// One hundred users send requests over kept connections at the same time, in an order that differs from user to user.
#[actix_web::test]
async fn identities_of_interleaved_users_are_never_crossed() {
    let gateway = TestGateway::open_with(&[("RATE_LIMIT", "0")]).await;
    let users: Vec<_> = (0..100)
        .map(|_| {
            let token = gateway.issuer.as_user();
            (token.user().id().to_string(), token.token())
        })
        .collect();
    // Fewer connections than users, so that each connection carries several users in turn.
    let lanes = (0..20).map(|lane| {
        let (gateway, users) = (&gateway, &users);
        async move {
            let mut stream = gateway.connect().await;
            for round in 0..60 {
                let (id, token) = &users[(lane * 7 + round * 13) % users.len()];
                // Every fourth request is anonymous, on the same connections.
                let (line, expected) = if round % 4 == 3 {
                    ("x-user-id: forged".to_owned(), "anonymous")
                } else {
                    (format!("authorization: Bearer {token}"), id.as_str())
                };
                let request =
                    format!("GET /api/products/{lane}-{round} HTTP/1.1\r\nhost: a\r\n{line}\r\n\r\n");
                stream.write_all(request.as_bytes()).await.unwrap();
                let answer = read_until(&mut stream, expected).await;
                assert!(answer.ends_with(&format!("\r\n\r\n{expected}")), "{answer}");
            }
        }
    });
    join_all(lanes).await;
    assert_eq!(gateway.backend.received().len(), 20 * 60);
    // Connections to the service are shared by all clients of a worker.
    assert!(
        gateway.backend.connections() <= 40,
        "{}",
        gateway.backend.connections()
    );
}
