//! Client secrets.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use db::on;
use serde_json::json;
use test_kit::{Client, TestService};

use crate::database::database;
use crate::oauth::{CLIENT, OAuthFixture, request_inventory_token};
use crate::{logged_in_ada, random_secret, restart, service, service_with};

fn with_authorization(service: &TestService, authorization: &str) -> Client {
    service.anonymous().with("authorization", authorization)
}

#[actix_web::test]
async fn a_form_encoded_secret_may_contain_any_characters() {
    let secret = format!("{} :%&=+/ü\u{1f642}\"\\", random_secret());
    let service = service_with(&[("ORDER_SERVICE_SECRET", &secret)]).await;
    let encoded: String = secret
        .bytes()
        .map(|byte| {
            if byte == b' ' {
                "+".to_owned()
            } else {
                format!("%{byte:02x}")
            }
        })
        .collect();
    for name in [CLIENT, "order%2Dservice", "%6Frder-service"] {
        request_inventory_token(&service.anonymous().with_basic_auth(name, &encoded))
            .await
            .assert_status(200);
    }
    // Unencoded it is another secret: its plus sign is decoded to a space.
    let raw = service.anonymous().with_basic_auth(CLIENT, &secret);
    request_inventory_token(&raw)
        .await
        .assert_oauth_error(401, "invalid_client");
    let pair = STANDARD.encode(format!("{CLIENT}:{encoded}"));
    request_inventory_token(&with_authorization(&service, &format!("bASIC {pair}")))
        .await
        .assert_status(200);
    for header in [
        format!("Basic  {pair}"),
        format!("Bearer {pair}"),
        pair.clone(),
        format!("Basic {pair}="),
    ] {
        request_inventory_token(&with_authorization(&service, &header))
            .await
            .assert_oauth_error(401, "invalid_client");
    }
    let twice = with_authorization(&service, &format!("Basic {pair}"))
        .with("authorization", &format!("Basic {pair}"));
    request_inventory_token(&twice)
        .await
        .assert_oauth_error(400, "invalid_request");
}

#[actix_web::test]
async fn unknown_names_and_wrong_secrets_get_the_same_response() {
    let secret = random_secret();
    let service = service_with(&[("ORDER_SERVICE_SECRET", &secret)]).await;
    let mut bodies = Vec::new();
    for (name, secret) in [
        (CLIENT, "wrong"),
        (CLIENT, ""),
        (CLIENT, &secret[1..]),
        (CLIENT, &format!("{secret}x")),
        (CLIENT, &secret.to_uppercase()),
        ("", &secret),
        ("Order-Service", &secret),
        // Registered without a secret; user-service itself; unknown.
        ("product-service", &secret),
        ("product-service", ""),
        ("user-service", &secret),
        ("unknown-service", &secret),
        ("order-service%00", &secret),
    ] {
        let response = request_inventory_token(&service.anonymous().with_basic_auth(name, secret)).await;
        bodies.push(response.assert_oauth_error(401, "invalid_client").body.clone());
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:?}");
    request_inventory_token(&service.anonymous().with_basic_auth(CLIENT, &secret))
        .await
        .assert_status(200);
}

#[actix_web::test]
async fn credentials_in_the_body_are_refused() {
    let secret = random_secret();
    let service = service_with(&[("ORDER_SERVICE_SECRET", &secret)]).await;
    let form = format!(
        "grant_type=client_credentials&audience=inventory-service&client_id={CLIENT}&client_secret={secret}"
    );
    service
        .anonymous()
        .post_form("/oauth/token", &form)
        .await
        .assert_oauth_error(401, "invalid_client");
    let client = service.anonymous().with_basic_auth(CLIENT, &secret);
    client
        .post_form("/oauth/token", &form)
        .await
        .assert_oauth_error(400, "invalid_request");
    for path in ["/oauth/introspect", "/oauth/revoke"] {
        let form = format!("token=x&client_secret={secret}");
        client
            .post_form(path, &form)
            .await
            .assert_oauth_error(400, "invalid_request");
    }
}

#[actix_web::test]
async fn a_changed_or_removed_secret_takes_effect_at_the_next_start() {
    let (old, new) = (random_secret(), random_secret());
    let service = service_with(&[("ORDER_SERVICE_SECRET", &old), ("PRODUCT_SERVICE_SECRET", &old)]).await;
    let ask = async |service: &TestService, secret: &str| {
        request_inventory_token(&service.anonymous().with_basic_auth(CLIENT, secret)).await
    };
    ask(&service, &old).await.assert_status(200);

    let service = restart(service, &[("ORDER_SERVICE_SECRET", &new)]).await;
    ask(&service, &new).await.assert_status(200);
    ask(&service, &old)
        .await
        .assert_oauth_error(401, "invalid_client");
    assert_eq!(stored_hashes(&service).await.len(), 1);

    let service = restart(service, &[]).await;
    ask(&service, &new)
        .await
        .assert_oauth_error(401, "invalid_client");
    assert!(stored_hashes(&service).await.is_empty());
}

#[actix_web::test]
async fn the_database_holds_only_hashes_of_client_secrets() {
    let (one, other) = (random_secret(), random_secret());
    let service = service_with(&[("ORDER_SERVICE_SECRET", &one), ("PRODUCT_SERVICE_SECRET", &other)]).await;
    service.anonymous().get("/health/ready").await.assert_status(200);
    let hash = |secret: &str| digest(&SHA256, secret.as_bytes()).as_ref().to_vec();
    let hashes = [
        ("order-service".to_owned(), hash(&one)),
        ("product-service".to_owned(), hash(&other)),
    ];
    assert_eq!(stored_hashes(&service).await, hashes);
}

async fn stored_hashes(service: &TestService) -> Vec<(String, Vec<u8>)> {
    const SQL: &str = "select name, secret_hash from clients order by name";
    let mut conn = database(service).await.read().await.unwrap();
    on!(conn, conn => sqlx::query_as(SQL).fetch_all(conn).await).unwrap()
}

#[actix_web::test]
async fn the_metadata_names_endpoints_at_the_internal_url() {
    let service = service_with(&[
        ("USER_SERVICE_URL", "http://users:84"),
        ("PUBLIC_URL", "https://shop.example"),
    ])
    .await;
    service
        .anonymous()
        .get("/.well-known/oauth-authorization-server")
        .await
        .assert(
            200,
            json!({
                "issuer": "https://shop.example",
                "jwks_uri": "https://shop.example/.well-known/jwks.json",
                "token_endpoint": "http://users:84/oauth/token",
                "introspection_endpoint": "http://users:84/oauth/introspect",
                "revocation_endpoint": "http://users:84/oauth/revoke",
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
                "introspection_endpoint_auth_methods_supported": ["client_secret_basic"],
                "revocation_endpoint_auth_methods_supported": ["client_secret_basic"],
                "grant_types_supported": ["client_credentials"],
            }),
        );
    let service = self::service().await;
    let response = service
        .anonymous()
        .get("/.well-known/oauth-authorization-server")
        .await;
    response.assert(
        200,
        json!({"token_endpoint": "http://127.0.0.1:8081/oauth/token"}),
    );
}

#[actix_web::test]
async fn a_client_id_in_the_body_must_match_the_authorization_header() {
    let fixture = OAuthFixture::new().await;
    let (pair, ada) = logged_in_ada(&fixture.users).await;
    let token = pair["refresh_token"].as_str().unwrap();
    for path in ["/oauth/introspect", "/oauth/revoke"] {
        let form = format!("token={token}&client_id=inventory-service");
        fixture
            .orders
            .post_form(path, &form)
            .await
            .assert_oauth_error(400, "invalid_request");
    }
    ada.get("/users/me").await.assert_status(200);

    let form = format!("token={token}&client_id={CLIENT}");
    fixture
        .orders
        .post_form("/oauth/revoke", &form)
        .await
        .assert_status(200);
    ada.get("/users/me").await.assert_problem(401, "token_revoked");
}
