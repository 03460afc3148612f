//! The secrets of services.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use db::on;
use serde_json::json;
use test_kit::{Client, TestService};

use crate::database::database;
use crate::oauth::{CLIENT, House, ask_for_stock};
use crate::{ada, made_up, restart, service, service_with};

fn with(service: &TestService, authorization: &str) -> Client {
    service.anonymous().with("authorization", authorization)
}

#[actix_web::test]
async fn a_secret_of_any_characters_works_once_it_is_encoded() {
    let secret = format!("{} :%&=+/ü\u{1f642}\"\\", made_up());
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
        ask_for_stock(&service.anonymous().with_basic_auth(name, &encoded))
            .await
            .assert_status(200);
    }
    // As it stands it means another one: the plus sign is a space.
    let raw = service.anonymous().with_basic_auth(CLIENT, &secret);
    ask_for_stock(&raw)
        .await
        .assert_oauth_error(401, "invalid_client");
    let pair = STANDARD.encode(format!("{CLIENT}:{encoded}"));
    ask_for_stock(&with(&service, &format!("bASIC {pair}")))
        .await
        .assert_status(200);
    for header in [
        format!("Basic  {pair}"),
        format!("Bearer {pair}"),
        pair.clone(),
        format!("Basic {pair}="),
    ] {
        ask_for_stock(&with(&service, &header))
            .await
            .assert_oauth_error(401, "invalid_client");
    }
    let twice = with(&service, &format!("Basic {pair}")).with("authorization", &format!("Basic {pair}"));
    ask_for_stock(&twice)
        .await
        .assert_oauth_error(400, "invalid_request");
}

#[actix_web::test]
async fn unknown_names_and_wrong_secrets_are_refused_alike() {
    let secret = made_up();
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
        // Registered, but without a secret; user-service itself; nobody at all.
        ("product-service", &secret),
        ("product-service", ""),
        ("user-service", &secret),
        ("nobody", &secret),
        ("order-service%00", &secret),
    ] {
        let answer = ask_for_stock(&service.anonymous().with_basic_auth(name, secret)).await;
        bodies.push(answer.assert_oauth_error(401, "invalid_client").body.clone());
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:?}");
    ask_for_stock(&service.anonymous().with_basic_auth(CLIENT, &secret))
        .await
        .assert_status(200);
}

#[actix_web::test]
async fn credentials_in_the_body_count_for_nothing() {
    let secret = made_up();
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
async fn another_secret_counts_from_the_next_start_and_none_ends_it() {
    let (old, new) = (made_up(), made_up());
    let service = service_with(&[("ORDER_SERVICE_SECRET", &old), ("PRODUCT_SERVICE_SECRET", &old)]).await;
    let ask = async |service: &TestService, secret: &str| {
        ask_for_stock(&service.anonymous().with_basic_auth(CLIENT, secret)).await
    };
    ask(&service, &old).await.assert_status(200);

    let service = restart(service, &[("ORDER_SERVICE_SECRET", &new)]).await;
    ask(&service, &new).await.assert_status(200);
    ask(&service, &old)
        .await
        .assert_oauth_error(401, "invalid_client");
    assert_eq!(stored(&service).await.len(), 1);

    let service = restart(service, &[]).await;
    ask(&service, &new)
        .await
        .assert_oauth_error(401, "invalid_client");
    assert!(stored(&service).await.is_empty());
}

#[actix_web::test]
async fn nothing_but_hashes_rests_in_the_database() {
    let (one, other) = (made_up(), made_up());
    let service = service_with(&[("ORDER_SERVICE_SECRET", &one), ("PRODUCT_SERVICE_SECRET", &other)]).await;
    service.anonymous().get("/health/ready").await.assert_status(200);
    let hash = |secret: &str| digest(&SHA256, secret.as_bytes()).as_ref().to_vec();
    let hashes = [
        ("order-service".to_owned(), hash(&one)),
        ("product-service".to_owned(), hash(&other)),
    ];
    assert_eq!(stored(&service).await, hashes);
}

async fn stored(service: &TestService) -> Vec<(String, Vec<u8>)> {
    const SQL: &str = "select name, secret_hash from clients order by name";
    let mut conn = database(service).await.read().await.unwrap();
    on!(conn, conn => sqlx::query_as(SQL).fetch_all(conn).await).unwrap()
}

#[actix_web::test]
async fn the_metadata_names_the_endpoints_where_services_find_them() {
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
    let answer = service
        .anonymous()
        .get("/.well-known/oauth-authorization-server")
        .await;
    answer.assert(
        200,
        json!({"token_endpoint": "http://127.0.0.1:8081/oauth/token"}),
    );
}

#[actix_web::test]
async fn a_client_id_in_the_body_must_match_the_authorization_header() {
    let house = House::new().await;
    let (pair, ada) = ada(&house.users).await;
    let token = pair["refresh_token"].as_str().unwrap();
    for path in ["/oauth/introspect", "/oauth/revoke"] {
        let form = format!("token={token}&client_id=inventory-service");
        house
            .orders
            .post_form(path, &form)
            .await
            .assert_oauth_error(400, "invalid_request");
    }
    ada.get("/users/me").await.assert_status(200);

    let form = format!("token={token}&client_id={CLIENT}");
    house
        .orders
        .post_form("/oauth/revoke", &form)
        .await
        .assert_status(200);
    ada.get("/users/me").await.assert_problem(401, "token_revoked");
}
