//! Asking whether a token is good.

use serde_json::{Value, json};
use test_kit::TestService;

use crate::{ada, admin, made_up, refresh, seconds, service, service_of_a_shared_secret_with};

async fn verify(service: &TestService, token: &Value) -> Value {
    service
        .anonymous()
        .post("/auth/verify", json!({"token": token}))
        .await
        .assert_status(200)
        .json()
}

#[actix_web::test]
async fn a_good_token_says_whose_it_is() {
    let service = service().await;
    let (pair, ada) = ada(&service).await;
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

    // The person as they are, the claims as they were.
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
async fn of_a_token_that_is_not_good_nothing_is_told() {
    let service = service().await;
    let (pair, ada) = ada(&service).await;
    let not_valid = json!({"valid": false});
    for token in [
        json!(""),
        json!("x"),
        pair["refresh_token"].clone(),
        json!("a".repeat(9_000)),
    ] {
        assert_eq!(verify(&service, &token).await, not_valid);
    }
    let other = crate::login(&service, "ada@example.com", crate::PASSWORD)
        .await
        .json();
    service.issuer().clock().advance(seconds(899));
    assert_eq!(verify(&service, &other["access_token"]).await["valid"], true);
    service.issuer().clock().advance(seconds(1));
    assert_eq!(
        verify(&service, &other["access_token"]).await,
        not_valid,
        "expired, and no leeway here"
    );

    let next = refresh(&service, &pair["refresh_token"])
        .await
        .assert_status(200)
        .json();
    ada.at(&service)
        .post("/auth/logout", json!({"refresh_token": next["refresh_token"]}))
        .await
        .assert_status(204);
    assert_eq!(
        verify(&service, &next["access_token"]).await,
        not_valid,
        "its session is over"
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
async fn a_token_of_rights_that_have_changed_is_not_good() {
    let service = service().await;
    let (pair, _) = ada(&service).await;
    let path = format!("/admin/users/{}", pair["user"]["id"].as_str().unwrap());
    admin(&service)
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
async fn a_services_token_is_no_persons() {
    let secret = made_up();
    let service = service_of_a_shared_secret_with(&[("ORDER_SERVICE_SECRET", &secret)]).await;
    let token = json!(service.issuer().as_service("order-service").token());
    assert_eq!(verify(&service, &token).await, json!({"valid": false}));
    let ghost = json!(service.person("ghost", &["user"]).token());
    assert_eq!(
        verify(&service, &ghost).await,
        json!({"valid": false}),
        "of somebody who never logged in here"
    );
}
