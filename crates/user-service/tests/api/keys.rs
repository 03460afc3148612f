//! Signing keys.

use serde_json::json;

use crate::{KEY, logged_in_ada, logged_in_admin, restart, service, service_with_shared_secret, with_token};

/// Another key that obviously protects nothing: the bytes 31 to 0.
const OTHER_KEY: &str = "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";

#[actix_web::test]
async fn two_public_keys_are_published_and_no_private_member() {
    let service = service().await;
    let response = service.anonymous().get("/.well-known/jwks.json").await;
    let keys = response.assert_status(200).json()["keys"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(keys.len(), 2, "the active and the next key");
    for key in &keys {
        let members: Vec<_> = key.as_object().unwrap().keys().cloned().collect();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x"]);
    }
    assert_ne!(keys[0]["kid"], keys[1]["kid"]);
    assert_eq!(response.header("cache-control"), "public, max-age=300");
    service
        .anonymous()
        .with("if-none-match", response.header("etag"))
        .get("/.well-known/jwks.json")
        .await
        .assert_status(304);
}

#[actix_web::test]
async fn the_metadata_names_the_issuer_and_the_key_set() {
    let service = service().await;
    let answer = service
        .anonymous()
        .get("/.well-known/oauth-authorization-server")
        .await;
    answer.assert(
        200,
        json!({"issuer": "http://localhost:8080", "jwks_uri": "http://localhost:8080/.well-known/jwks.json"}),
    );
    let metadata = answer.json();
    assert!(
        metadata.get("response_types_supported").is_none(),
        "there is no authorization endpoint"
    );
}

#[actix_web::test]
async fn signing_keys_survive_a_restart_and_a_new_encryption_key() {
    let service = service().await;
    let (pair, _) = logged_in_ada(&service).await;
    let jwks = service.anonymous().get("/.well-known/jwks.json").await.json();

    let changed = [
        ("KEY_ENCRYPTION_KEY", OTHER_KEY),
        ("KEY_ENCRYPTION_KEY_PREVIOUS", KEY),
    ];
    let service = restart(service, &changed).await;
    assert_eq!(
        service.anonymous().get("/.well-known/jwks.json").await.json(),
        jwks
    );
    with_token(&service, &pair)
        .get("/users/me")
        .await
        .assert_status(200);

    // The keys were re-encrypted, so the previous encryption key is no longer needed.
    let service = restart(service, &[("KEY_ENCRYPTION_KEY", OTHER_KEY)]).await;
    with_token(&service, &pair)
        .get("/users/me")
        .await
        .assert_status(200);
    crate::refresh(&service, &pair["refresh_token"])
        .await
        .assert_status(200);
}

#[actix_web::test]
async fn no_key_is_published_with_a_shared_secret() {
    let service = service_with_shared_secret().await;
    service
        .anonymous()
        .get("/.well-known/jwks.json")
        .await
        .assert(200, json!({"keys": []}));
    let (_, ada) = logged_in_ada(&service).await;
    ada.get("/users/me").await.assert_status(200);
}

#[actix_web::test]
async fn an_admin_sees_the_public_keys_only() {
    let service = service().await;
    let (_, ada) = logged_in_ada(&service).await;
    let keys = logged_in_admin(&service)
        .await
        .get("/admin/keys")
        .await
        .assert_status(200)
        .json();
    let published = service.anonymous().get("/.well-known/jwks.json").await.json();
    let [first, second] = keys["items"].as_array().unwrap().as_slice() else {
        panic!("{keys}")
    };
    let mut states = [first, second].map(|key| key["state"].as_str().unwrap());
    states.sort_unstable();
    assert_eq!(states, ["active", "next"]);
    for key in [first, second] {
        assert_eq!((&key["alg"], &key["not_after"]), (&json!("EdDSA"), &json!(null)));
        assert_eq!(key.as_object().unwrap().len(), 5);
        assert!(
            published["keys"]
                .as_array()
                .unwrap()
                .iter()
                .any(|other| other["kid"] == key["kid"]),
            "{keys}"
        );
    }
    ada.get("/admin/keys").await.assert_problem(403, "forbidden");

    let service = service_with_shared_secret().await;
    service
        .admin()
        .get("/admin/keys")
        .await
        .assert_problem(409, "shared_secret");
}
