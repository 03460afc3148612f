//! Login.

use auth::{KeySet, Keys, Principal, Profile, Verifier};
use serde_json::json;

use crate::{PASSWORD, logged_in_ada, login, register, seconds, service, service_with};

#[actix_web::test]
async fn a_login_returns_a_token_pair() {
    let service = service().await;
    let user = register(&service, "ada@example.com").await;
    let response = login(&service, "ada@example.com", PASSWORD).await;
    response.assert(
        200,
        json!({
            "token_type": "Bearer", "expires_in": 900, "refresh_expires_in": 604_800,
            "scope": "products:write orders:write", "user": user,
        }),
    );
    assert_eq!(response.header("cache-control"), "no-store");
    assert_eq!(response.json()["refresh_token"].as_str().unwrap().len(), 43);
}

#[actix_web::test]
async fn another_service_verifies_a_token_with_the_published_keys() {
    let service = service().await;
    let (pair, _) = logged_in_ada(&service).await;
    let jwks = service
        .anonymous()
        .get("/.well-known/jwks.json")
        .await
        .assert_status(200)
        .json();
    let keys = KeySet::from_jwks(jwks.to_string().as_bytes(), &[auth::Algorithm::EdDSA]).unwrap();
    let profile = Profile::countersign("product-service");
    let verifier = Verifier::builder("http://localhost:8080", Keys::new(keys), profile)
        .clock(service.issuer().clock().clone())
        .build();
    let token = pair["access_token"].as_str().unwrap();
    let Ok(Principal::User(user)) = verifier.verify_with_current_keys(token) else {
        panic!("the token was refused")
    };
    assert_eq!(user.id().to_string(), pair["user"]["id"]);
    assert_eq!(
        (user.email(), user.name(), user.roles()),
        ("ada@example.com", "Ada", ["user".to_owned()].as_slice())
    );
    assert!(user.has_scope("products:write") && !user.has_scope("users:read"));
}

#[actix_web::test]
async fn unknown_wrong_and_malformed_credentials_get_the_same_response() {
    let service = service().await;
    register(&service, "ada@example.com").await;
    let mut bodies = Vec::new();
    for (email, password) in [
        ("ada@example.com", "correct horse batterz"),
        ("ada@example.com", ""),
        ("ada@example.com", " correct horse battery"),
        ("eve@example.com", PASSWORD),
        ("no address", PASSWORD),
        ("", ""),
        ("ada@example.com'--", PASSWORD),
    ] {
        let response = login(&service, email, password).await;
        response.assert_problem(401, "invalid_credentials");
        assert_eq!(
            response.header("www-authenticate"),
            r#"Password realm="countersign""#
        );
        let mut body = response.json();
        body["request_id"] = json!(null);
        bodies.push(body);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:?}");
    let long = "x".repeat(60_000);
    login(&service, "ada@example.com", &long)
        .await
        .assert_problem(401, "invalid_credentials");
}

#[actix_web::test]
async fn an_access_token_expires_after_its_lifetime_and_the_leeway() {
    let service = service_with(&[("ACCESS_TOKEN_TTL", "60s")]).await;
    let (pair, ada) = logged_in_ada(&service).await;
    assert_eq!(pair["expires_in"], 60);
    service.issuer().clock().advance(seconds(89));
    ada.get("/users/me").await.assert_status(200);
    service.issuer().clock().advance(seconds(1));
    ada.get("/users/me").await.assert_problem(401, "token_expired");
    ada.get("/auth/current-user")
        .await
        .assert(200, json!({"current_user": null}));
}

#[actix_web::test]
async fn logins_beyond_slots_and_queue_are_refused_with_retry_after() {
    let vars = [
        ("HASH_SLOTS", "1"),
        ("HASH_QUEUE", "1"),
        ("ARGON2_MEMORY_KIB", "65536"),
        ("ARGON2_PASSES", "4"),
        ("LOGIN_FREE_FAILURES", "1000"),
    ];
    let service = service_with(&vars).await;
    let asked = (0..30).map(|_| login(&service, "eve@example.com", PASSWORD));
    let responses = futures_util::future::join_all(asked).await;
    let (busy, refused): (Vec<_>, Vec<_>) = responses.iter().partition(|response| response.status == 503);
    assert!(
        !busy.is_empty() && !refused.is_empty(),
        "{} busy, {} refused",
        busy.len(),
        refused.len()
    );
    for response in busy {
        response.assert_problem(503, "hashing_busy");
        assert!(
            response
                .header("retry-after")
                .parse::<u32>()
                .is_ok_and(|seconds| seconds > 0)
        );
    }
    for response in refused {
        response.assert_problem(401, "invalid_credentials");
    }
}
