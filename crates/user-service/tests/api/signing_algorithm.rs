//! Signing with ES256, and changing the algorithm.

use auth::{KeySet, Keys, Principal, Profile, Verifier};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use test_kit::TestService;

use crate::{
    logged_in, logged_in_ada, logged_in_admin, refreshed, restart, seconds, service, service_with, with_token,
};

const ES256: [(&str, &str); 1] = [("SIGNING_ALG", "ES256")];
const EDDSA: [(&str, &str); 1] = [("SIGNING_ALG", "EdDSA")];

async fn published_keys(service: &TestService) -> Vec<Value> {
    let jwks = service
        .anonymous()
        .get("/.well-known/jwks.json")
        .await
        .assert_status(200)
        .json();
    jwks["keys"].as_array().unwrap().clone()
}

/// The algorithm and the state of each key that an admin sees, and whether its end is known.
async fn listed_keys(service: &TestService) -> Vec<(String, String, bool)> {
    let keys = logged_in_admin(service)
        .await
        .get("/admin/keys")
        .await
        .assert_status(200)
        .json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut keys: Vec<_> = keys["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| {
            (
                text(&key["alg"]),
                text(&key["state"]),
                !key["not_after"].is_null(),
            )
        })
        .collect();
    keys.sort();
    keys
}

fn key(algorithm: &str, state: &str, ends: bool) -> (String, String, bool) {
    (algorithm.to_owned(), state.to_owned(), ends)
}

/// The header of a token.
fn header(pair: &Value) -> Value {
    let token = pair["access_token"].as_str().unwrap();
    let header = token.split('.').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap()
}

#[actix_web::test]
async fn es256_signs_tokens_that_any_verifier_of_the_published_keys_accepts() {
    let service = service_with(&ES256).await;
    let (pair, ada) = logged_in_ada(&service).await;
    ada.get("/users/me").await.assert_status(200);
    assert_eq!(
        (&header(&pair)["alg"], &header(&pair)["typ"]),
        (&json!("ES256"), &json!("at+jwt"))
    );
    let token = pair["access_token"].as_str().unwrap();
    let (_, signature) = token.rsplit_once('.').unwrap();
    assert_eq!(URL_SAFE_NO_PAD.decode(signature).unwrap().len(), 64, "r || s");

    let keys = published_keys(&service).await;
    assert_eq!(keys.len(), 2);
    for key in &keys {
        let members: Vec<_> = key.as_object().unwrap().keys().cloned().collect();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
        assert_eq!(
            (&key["kty"], &key["crv"], &key["alg"]),
            (&json!("EC"), &json!("P-256"), &json!("ES256"))
        );
    }
    let jwks = json!({"keys": keys}).to_string();
    let keys = KeySet::from_jwks(jwks.as_bytes(), &[auth::Algorithm::ES256]).unwrap();
    let profile = Profile::countersign("product-service");
    let verifier = Verifier::builder("http://localhost:8080", Keys::new(keys), profile)
        .clock(service.issuer().clock().clone())
        .build();
    let verified = verifier.verify_with_current_keys(token);
    assert!(matches!(verified, Ok(Principal::User(_))), "{verified:?}");

    assert_eq!(
        listed_keys(&service).await,
        [key("ES256", "active", false), key("ES256", "next", false)]
    );
}

#[actix_web::test]
async fn after_a_change_of_the_algorithm_old_tokens_are_valid_until_they_expire() {
    for (before, after, old, new) in [(EDDSA, ES256, "EdDSA", "ES256"), (ES256, EDDSA, "ES256", "EdDSA")] {
        let service = service_with(&before).await;
        let (pair, _) = logged_in_ada(&service).await;
        assert_eq!(header(&pair)["alg"], old);

        let service = restart(service, &after).await;
        with_token(&service, &pair)
            .get("/users/me")
            .await
            .assert_status(200);
        let newer = logged_in(&service, "ada@example.com").await;
        assert_eq!(header(&newer)["alg"], new);
        let refreshed = refreshed(&service, &pair).await;
        assert_eq!(header(&refreshed)["alg"], new);

        let mut expected = [
            key(old, "retiring", true),
            key(new, "active", false),
            key(new, "next", false),
        ];
        expected.sort();
        assert_eq!(listed_keys(&service).await, expected);
        let kids: Vec<_> = published_keys(&service)
            .await
            .iter()
            .map(|key| key["kid"].clone())
            .collect();
        assert!(kids.len() == 3 && kids.contains(&header(&pair)["kid"]));
    }
}

#[actix_web::test]
async fn a_retiring_key_is_published_until_its_last_token_has_expired() {
    let service = restart(service().await, &ES256).await;
    // The service reads the clock while it starts, so it must have started before the clock is advanced.
    assert_eq!(published_keys(&service).await.len(), 3);

    // Other replicas have five minutes to load the keys; then a token may last 15 minutes, and a verifier's clock may be a minute
    // behind.
    service.issuer().clock().advance(seconds(300 + 900 + 59));
    assert_eq!(published_keys(&service).await.len(), 3);
    service.issuer().clock().advance(seconds(1));
    let keys = published_keys(&service).await;
    assert!(
        keys.len() == 2 && keys.iter().all(|key| key["alg"] == "ES256"),
        "{keys:?}"
    );

    let service = restart(service, &ES256).await;
    assert_eq!(
        listed_keys(&service).await,
        [key("ES256", "active", false), key("ES256", "next", false)]
    );
}

#[actix_web::test]
async fn a_restart_with_the_same_algorithm_changes_no_key() {
    let service = service_with(&ES256).await;
    let keys = published_keys(&service).await;
    let service = restart(service, &ES256).await;
    assert_eq!(published_keys(&service).await, keys);
}
