//! `AUTH_STRATEGY=gateway`: a service knows a user by an identity token, and never receives the user's access token.

use auth::{Claims, IDENTITY_HEADER};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::io::AsyncWriteExt as _;

use crate::client::read_until;
use crate::program::Program;
use crate::test_gateway::TestGateway;

const STRATEGY: (&str, &str) = ("AUTH_STRATEGY", "gateway");

/// Paths on routes that require a token and on routes where it is optional, with the services behind them.
const PATHS: [(&str, &str); 3] = [
    ("/api/orders", "product-service"),
    ("/api/products", "product-service"),
    ("/auth/sessions", "user-service"),
];

fn claims(token: &str) -> Claims {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[actix_web::test]
async fn a_service_receives_an_identity_token_instead_of_the_access_token() {
    let gateway = TestGateway::open_with(&[STRATEGY]).await;
    let user = gateway.issuer.as_user();
    let (id, token) = (user.user().id().to_string(), user.token());
    let bearer = format!("authorization: Bearer {token}");
    let lower = format!("Authorization: bearer {token}");
    let cookie = format!("cookie: a=b; countersign_access={token}; countersign_refresh=r");
    let forged = format!("{IDENTITY_HEADER}: forged");
    let second = format!("X_Countersign_Identity: {token}");
    for (path, service) in PATHS {
        for lines in [
            &[bearer.as_str()][..],
            &[&lower],
            &[&cookie],
            &[&bearer, &cookie],
            &[&forged, &bearer, &second, &forged],
            &[
                &cookie,
                &forged,
                "connection: x-countersign-identity, authorization",
            ],
        ] {
            gateway.get(path, lines).await.assert_forwarded(&id);
            let received = gateway.backend.last();
            assert!(
                !received.head.contains(&token),
                "{path}, {lines:?}: {}",
                received.head
            );
            assert!(
                !received.head.contains("forged"),
                "{path}, {lines:?}: {}",
                received.head
            );
            assert_eq!(received.header("authorization"), None, "{path}, {lines:?}");
            let identity = received.header(IDENTITY_HEADER).expect("an identity token");
            let claims = claims(identity);
            assert_eq!(claims.sub, id);
            assert_eq!(claims.aud, [service]);
            assert_eq!(claims.exp - claims.iat, 30);
            assert_eq!(claims.iss, format!("{}/gateway", gateway.issuer.issuer()));
        }
    }
}

#[actix_web::test]
async fn a_web_socket_opens_with_an_identity_token() {
    let gateway = TestGateway::open_with(&[STRATEGY]).await;
    let token = gateway.issuer.as_user().token();
    let mut stream = gateway.connect().await;
    let request = format!(
        "GET /api/socket/ws HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    read_until(&mut stream, "HTTP/1.1 101 ").await;
    let received = gateway.backend.only();
    assert!(!received.head.contains(&token), "{}", received.head);
    assert!(received.header(IDENTITY_HEADER).is_some(), "{}", received.head);
}

#[actix_web::test]
async fn an_identity_header_of_a_client_reaches_no_service() {
    let user = TestGateway::open().await.issuer.as_user();
    let forged = user.identity_for("product-service").token();
    for strategy in ["local", "gateway"] {
        let gateway = TestGateway::open_with(&[("AUTH_STRATEGY", strategy)]).await;
        let lines = [
            format!("{IDENTITY_HEADER}: {forged}"),
            format!("X_COUNTERSIGN_IDENTITY: {forged}"),
            format!("x-countersign.identity: {forged}"),
        ];
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        for path in ["/api/products", "/auth/login", "/.well-known/jwks.json"] {
            gateway.get(path, &lines).await.assert_forwarded("anonymous");
            let received = gateway.backend.last();
            assert!(
                !received.head.contains(&forged),
                "{strategy}, {path}: {}",
                received.head
            );
        }
        gateway
            .get("/api/orders", &lines)
            .await
            .assert_problem(401, "no_token");
    }
}

/// The service answers why it refuses the token, as it does when it receives the token of the client.
#[actix_web::test]
async fn a_service_learns_why_the_gateway_refused_a_token() {
    let gateway = TestGateway::open_with(&[STRATEGY]).await;
    let user = gateway.issuer.as_user();
    let expired = format!("Bearer {}", user.clone().expired().token());
    let revoked = format!("Bearer {}", gateway.issuer.as_user().revoked().token());
    let invalid = format!("Bearer {}", user.clone().signed_by_a_stranger().token());
    for path in ["/api/products", "/auth/sessions"] {
        for (sent, received) in [
            (expired.as_str(), expired.as_str()),
            (&revoked, &revoked),
            (&invalid, "Bearer invalid"),
            ("Bearer x", "Bearer invalid"),
        ] {
            let line = format!("authorization: {sent}");
            gateway.get(path, &[&line]).await.assert_forwarded("anonymous");
            let last = gateway.backend.last();
            assert_eq!(last.header("authorization"), Some(received), "{path}");
            assert_eq!(last.header(IDENTITY_HEADER), None, "{path}");
        }
        let cookie = format!("cookie: countersign_access={}", user.clone().expired().token());
        gateway.get(path, &[&cookie]).await.assert_forwarded("anonymous");
        assert_eq!(
            gateway.backend.last().header("authorization"),
            Some(expired.as_str())
        );
    }
}

/// Without keys, the gateway does not know whether to replace the token. A service must not answer as if there were none.
#[actix_web::test]
async fn a_token_that_can_not_be_verified_is_not_dropped() {
    let token = TestGateway::open().await.issuer.as_user().token();
    let bearer = format!("authorization: Bearer {token}");
    // There are no keys at the backend.
    let program = Program::start(&[STRATEGY]).await;
    for path in ["/api/products", "/auth/logout"] {
        let answer = program.client().get(path, &[&bearer]).await;
        answer.assert_problem(503, "keys_unavailable");
    }
    let program = Program::start(&[]).await;
    let answer = program.client().get("/api/products", &[&bearer]).await;
    answer.assert_forwarded("anonymous");
    let received = program.backend.received();
    assert!(received.iter().any(|request| request.head.contains(&token)));
}

#[actix_web::test]
async fn a_service_token_passes_unchanged_where_a_token_is_optional() {
    let gateway = TestGateway::open_with(&[STRATEGY]).await;
    let bearer = format!("Bearer {}", gateway.issuer.as_service("order-service").token());
    let line = format!("authorization: {bearer}");
    for path in ["/api/products", "/auth/sessions"] {
        gateway.get(path, &[&line]).await.assert_forwarded("anonymous");
        let received = gateway.backend.last();
        assert_eq!(received.header("authorization"), Some(bearer.as_str()));
        assert_eq!(received.header(IDENTITY_HEADER), None);
    }
    gateway
        .get("/api/orders", &[&line])
        .await
        .assert_problem(403, "forbidden");
}
