//! Token revocation by services (RFC 7009).

use serde_json::json;
use test_kit::TestResponse;

use crate::oauth::{OAuthFixture, introspect, revoke};
use crate::{logged_in, logged_in_ada, refresh, refreshed, seconds};

#[track_caller]
fn assert_revoked(response: &TestResponse) {
    assert_eq!(response.assert_status(200).body, "");
    assert_eq!(
        (response.header("cache-control"), response.header("pragma")),
        ("no-store", "no-cache")
    );
}

#[actix_web::test]
async fn revoking_either_token_of_a_session_ends_that_session_only() {
    for revoked in ["access_token", "refresh_token"] {
        let fixture = OAuthFixture::new().await;
        let (pair, ada) = logged_in_ada(&fixture.users).await;
        let other = logged_in(&fixture.users, "ada@example.com").await;
        let token = pair[revoked].as_str().unwrap();
        for _ in 0..2 {
            assert_revoked(&revoke(&fixture.orders, token).await);
            ada.get("/users/me").await.assert_problem(401, "token_revoked");
            introspect(&fixture.inventory, token)
                .await
                .assert(200, json!({"active": false}));
        }
        refresh(&fixture.users, &pair["refresh_token"])
            .await
            .assert_problem(401, "invalid_refresh_token");
        for token in [&other["access_token"], &other["refresh_token"]] {
            introspect(&fixture.inventory, token.as_str().unwrap())
                .await
                .assert(200, json!({"active": true}));
        }
    }
}

#[actix_web::test]
async fn the_previous_refresh_token_ends_the_session_and_older_ones_do_not() {
    let fixture = OAuthFixture::new().await;
    let (first, _) = logged_in_ada(&fixture.users).await;
    let second = refreshed(&fixture.users, &first).await;
    let third = refreshed(&fixture.users, &second).await;
    fixture.users.issuer().clock().advance(seconds(60));
    let newest = third["refresh_token"].as_str().unwrap();
    assert_revoked(&revoke(&fixture.orders, first["refresh_token"].as_str().unwrap()).await);
    introspect(&fixture.inventory, newest)
        .await
        .assert(200, json!({"active": true}));
    assert_revoked(&revoke(&fixture.orders, second["refresh_token"].as_str().unwrap()).await);
    introspect(&fixture.inventory, newest)
        .await
        .assert(200, json!({"active": false}));
}

#[actix_web::test]
async fn revoking_an_invalid_token_succeeds_and_ends_nothing() {
    let (fixture, foreign) = (OAuthFixture::new().await, OAuthFixture::new().await);
    let (pair, ada) = logged_in_ada(&fixture.users).await;
    let (foreign_pair, _) = crate::logged_in_ada(&foreign.users).await;
    let token = pair["access_token"].as_str().unwrap();
    for token in [
        "x",
        "..",
        "%00",
        &crate::random_secret(),
        &token[1..],
        foreign_pair["access_token"].as_str().unwrap(),
        foreign_pair["refresh_token"].as_str().unwrap(),
        &foreign.inventory_token().await,
    ] {
        assert_revoked(&revoke(&fixture.orders, token).await);
    }
    ada.get("/users/me").await.assert_status(200);
    // The token has expired and the leeway of 30 seconds is over.
    fixture.users.issuer().clock().advance(seconds(900 + 30));
    assert_revoked(&revoke(&fixture.orders, token).await);
    refresh(&fixture.users, &pair["refresh_token"])
        .await
        .assert_status(200);
}

#[actix_web::test]
async fn an_expired_token_within_the_leeway_can_be_revoked() {
    let fixture = OAuthFixture::new().await;
    let (pair, ada) = logged_in_ada(&fixture.users).await;
    fixture.users.issuer().clock().advance(seconds(900 + 29));
    ada.get("/users/me").await.assert_status(200);
    assert_revoked(&revoke(&fixture.orders, pair["access_token"].as_str().unwrap()).await);
    ada.get("/users/me").await.assert_problem(401, "token_revoked");
    refresh(&fixture.users, &pair["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
}

#[actix_web::test]
async fn a_service_token_cannot_be_revoked() {
    let fixture = OAuthFixture::new().await;
    let token = fixture.inventory_token().await;
    for client in [&fixture.orders, &fixture.inventory] {
        revoke(client, &token)
            .await
            .assert_oauth_error(400, "unsupported_token_type");
    }
    introspect(&fixture.inventory, &token)
        .await
        .assert(200, json!({"active": true}));
}

#[actix_web::test]
async fn the_token_is_required_and_its_hint_is_ignored() {
    for (kind, hint) in [
        ("access_token", "refresh_token"),
        ("refresh_token", "access_token"),
        ("access_token", "x"),
    ] {
        let fixture = OAuthFixture::new().await;
        let (pair, ada) = logged_in_ada(&fixture.users).await;
        let form = format!("token={}&token_type_hint={hint}", pair[kind].as_str().unwrap());
        assert_revoked(&fixture.orders.post_form("/oauth/revoke", &form).await);
        ada.get("/users/me").await.assert_problem(401, "token_revoked");
    }
    let fixture = OAuthFixture::new().await;
    for form in ["", "token=", "token_type_hint=access_token", "token=a&token=a"] {
        fixture
            .orders
            .post_form("/oauth/revoke", form)
            .await
            .assert_oauth_error(400, "invalid_request");
    }
}
