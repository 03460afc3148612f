//! `POST /auth/verify`.

use serde_json::{Value, json};
use test_kit::TestService;

use crate::{
    logged_in_ada, logged_in_admin, random_secret, refreshed, seconds, service,
    service_with_shared_secret_and,
};

async fn verify(service: &TestService, token: &Value) -> Value {
    service
        .anonymous()
        .post("/auth/verify", json!({"token": token}))
        .await
        .assert_status(200)
        .json()
}

#[actix_web::test]
async fn verification_of_a_valid_token_returns_user_and_claims() {
    let service = service().await;
    let (pair, ada) = logged_in_ada(&service).await;
    let verdict = verify(&service, &pair["access_token"]).await;
    assert_eq!(
        (&verdict["valid"], &verdict["user"]),
        (&json!(true), &pair["user"])
    );
    let claims = &verdict["claims"];
    assert_eq!(claims["sub"], pair["user"]["id"]);
    assert_eq!(
        (&claims["aud"], &claims["client_id"]),
        (&json!(["platform"]), &json!("countersign"))
    );
    assert!(claims["sid"].is_string() && claims["epoch"].is_i64() && claims["exp"].is_i64());

    // The user is read from the database, the claims from the token.
    ada.patch("/users/me", json!({"name": "Countess"}))
        .await
        .assert_status(200);
    let verdict = verify(&service, &pair["access_token"]).await;
    assert_eq!(
        (&verdict["user"]["name"], &verdict["claims"]["name"]),
        (&json!("Countess"), &json!("Ada"))
    );
}

#[actix_web::test]
async fn verification_of_an_invalid_token_reveals_nothing_else() {
    let service = service().await;
    let (pair, ada) = logged_in_ada(&service).await;
    let not_valid = json!({"valid": false});
    for token in [
        json!(""),
        json!("x"),
        pair["refresh_token"].clone(),
        json!("a".repeat(9_000)),
    ] {
        assert_eq!(verify(&service, &token).await, not_valid);
    }
    let other = crate::logged_in(&service, "ada@example.com").await;
    service.issuer().clock().advance(seconds(899));
    assert_eq!(verify(&service, &other["access_token"]).await["valid"], true);
    service.issuer().clock().advance(seconds(1));
    assert_eq!(
        verify(&service, &other["access_token"]).await,
        not_valid,
        "no leeway applies here"
    );

    let next = refreshed(&service, &pair).await;
    ada.at(service.anonymous())
        .post("/auth/logout", json!({"refresh_token": next["refresh_token"]}))
        .await
        .assert_status(204);
    assert_eq!(
        verify(&service, &next["access_token"]).await,
        not_valid,
        "the session has ended"
    );
    for wrong in [json!(null), json!(7)] {
        service
            .anonymous()
            .post("/auth/verify", json!({"token": wrong}))
            .await
            .assert_invalid("token");
    }
}

#[actix_web::test]
async fn a_token_from_before_a_change_of_roles_is_invalid() {
    let service = service().await;
    let (pair, _) = logged_in_ada(&service).await;
    let path = format!("/admin/users/{}", pair["user"]["id"].as_str().unwrap());
    logged_in_admin(&service)
        .await
        .patch(&path, json!({"roles": ["support"]}))
        .await
        .assert_status(200);
    assert_eq!(
        verify(&service, &pair["access_token"]).await,
        json!({"valid": false})
    );
}

#[actix_web::test]
async fn a_service_token_and_an_unknown_users_token_are_invalid() {
    let secret = random_secret();
    let service = service_with_shared_secret_and(&[("ORDER_SERVICE_SECRET", &secret)]).await;
    let token = json!(service.issuer().as_service("order-service").token());
    assert_eq!(verify(&service, &token).await, json!({"valid": false}));
    let unknown = json!(service.user_token("ghost", &["user"]).token());
    assert_eq!(
        verify(&service, &unknown).await,
        json!({"valid": false}),
        "the user has no account here"
    );
}
