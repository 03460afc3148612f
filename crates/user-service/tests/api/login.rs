//! Logging in.

use auth::{KeySet, Keys, Principal, Verifier};
use serde_json::json;

use crate::{PASSWORD, ada, login, register, seconds, service, service_with};

#[actix_web::test]
async fn a_login_gives_a_pair_of_tokens() {
    let service = service().await;
    let user = register(&service, "ada@example.com").await;
    let answer = login(&service, "ada@example.com", PASSWORD).await;
    answer.assert(
        200,
        json!({
            "token_type": "Bearer", "expires_in": 900, "refresh_expires_in": 604_800,
            "scope": "products:write orders:write", "user": user,
        }),
    );
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.json()["refresh_token"].as_str().unwrap().len(), 43);
}

#[actix_web::test]
async fn another_service_knows_the_bearer_by_the_published_keys_alone() {
    let service = service().await;
    let (pair, _) = ada(&service).await;
    let jwks = service
        .anonymous()
        .get("/.well-known/jwks.json")
        .await
        .assert_status(200)
        .json();
    let keys = KeySet::from_jwks(jwks.to_string().as_bytes(), &[auth::Algorithm::EdDSA]).unwrap();
    let verifier = Verifier::builder("product-service", "http://localhost:8080", Keys::fixed(keys))
        .clock(service.issuer().clock().clone())
        .build();
    let token = pair["access_token"].as_str().unwrap();
    let Ok(Principal::User(user)) = verifier.verify_with_held_keys(token) else {
        panic!("not let in")
    };
    assert_eq!(user.id().to_string(), pair["user"]["id"]);
    assert_eq!(
        (user.email(), user.name(), user.roles()),
        ("ada@example.com", "Ada", ["user".to_owned()].as_slice())
    );
    assert!(user.has_scope("products:write") && !user.has_scope("users:read"));
}

#[actix_web::test]
async fn unknown_wrong_and_odd_credentials_are_refused_alike() {
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
        let answer = login(&service, email, password).await;
        answer.assert_problem(401, "invalid_credentials");
        assert_eq!(
            answer.header("www-authenticate"),
            r#"Password realm="countersign""#
        );
        let mut body = answer.json();
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
async fn an_access_token_ends_after_its_life_and_the_leeway() {
    let service = service_with(&[("ACCESS_TOKEN_TTL", "60s")]).await;
    let (pair, ada) = ada(&service).await;
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
async fn more_logins_than_slots_and_queue_hold_are_told_to_come_back() {
    let vars = [
        ("HASH_SLOTS", "1"),
        ("HASH_QUEUE", "1"),
        ("ARGON2_MEMORY_KIB", "65536"),
        ("ARGON2_PASSES", "4"),
        ("LOGIN_FREE_FAILURES", "1000"),
    ];
    let service = service_with(&vars).await;
    let asked = (0..30).map(|_| login(&service, "eve@example.com", PASSWORD));
    let answers = futures_util::future::join_all(asked).await;
    let (busy, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 503);
    assert!(
        !busy.is_empty() && !refused.is_empty(),
        "{} busy, {} refused",
        busy.len(),
        refused.len()
    );
    for answer in busy {
        answer.assert_problem(503, "hashing_busy");
        assert!(
            answer
                .header("retry-after")
                .parse::<u32>()
                .is_ok_and(|seconds| seconds > 0)
        );
    }
    for answer in refused {
        answer.assert_problem(401, "invalid_credentials");
    }
}
