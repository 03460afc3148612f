//! `AUTH_STRATEGY=gateway`: a service knows a user by an identity token, and never receives the user's access token.

use auth::{Claims, IDENTITY_HEADER};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::io::AsyncWriteExt as _;

use crate::client::read_until;
use crate::door::Door;

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
    let door = Door::open_with(&[STRATEGY]).await;
    let user = door.issuer.as_user();
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
            door.get(path, lines).await.assert_forwarded(&id);
            let received = door.backend.last();
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
            assert_eq!(claims.iss, format!("{}/gateway", door.issuer.issuer()));
        }
    }
}

#[actix_web::test]
async fn a_web_socket_opens_with_an_identity_token() {
    let door = Door::open_with(&[STRATEGY]).await;
    let token = door.issuer.as_user().token();
    let mut stream = door.connect().await;
    let request = format!(
        "GET /api/socket/ws HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    read_until(&mut stream, "HTTP/1.1 101 ").await;
    let received = door.backend.only();
    assert!(!received.head.contains(&token), "{}", received.head);
    assert!(received.header(IDENTITY_HEADER).is_some(), "{}", received.head);
}

#[actix_web::test]
async fn an_identity_header_of_a_client_reaches_no_service() {
    let user = Door::open().await.issuer.as_user();
    let forged = user.identity_for("product-service").token();
    for strategy in ["local", "gateway"] {
        let door = Door::open_with(&[("AUTH_STRATEGY", strategy)]).await;
        let lines = [
            format!("{IDENTITY_HEADER}: {forged}"),
            format!("X_COUNTERSIGN_IDENTITY: {forged}"),
            format!("x-countersign.identity: {forged}"),
        ];
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        for path in ["/api/products", "/auth/login", "/.well-known/jwks.json"] {
            door.get(path, &lines).await.assert_forwarded("anonymous");
            let received = door.backend.last();
            assert!(
                !received.head.contains(&forged),
                "{strategy}, {path}: {}",
                received.head
            );
        }
        door.get("/api/orders", &lines)
            .await
            .assert_problem(401, "no_token");
    }
}

#[actix_web::test]
async fn a_service_token_passes_unchanged_where_a_token_is_optional() {
    let door = Door::open_with(&[STRATEGY]).await;
    let bearer = format!("Bearer {}", door.issuer.as_service("order-service").token());
    let line = format!("authorization: {bearer}");
    for path in ["/api/products", "/auth/sessions"] {
        door.get(path, &[&line]).await.assert_forwarded("anonymous");
        let received = door.backend.last();
        assert_eq!(received.header("authorization"), Some(bearer.as_str()));
        assert_eq!(received.header(IDENTITY_HEADER), None);
    }
    door.get("/api/orders", &[&line])
        .await
        .assert_problem(403, "forbidden");
}
