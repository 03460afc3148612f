//! Taking tokens back at a service's request.

use serde_json::json;
use test_kit::TestResponse;

use crate::oauth::{House, introspect, revoke};
use crate::{ada, login, refresh, seconds};

#[track_caller]
fn assert_done(answer: &TestResponse) {
    assert_eq!(answer.assert_status(200).body, "");
    assert_eq!(
        (answer.header("cache-control"), answer.header("pragma")),
        ("no-store", "no-cache")
    );
}

#[actix_web::test]
async fn either_token_of_a_person_ends_their_session_and_no_other() {
    for taken_back in ["access_token", "refresh_token"] {
        let house = House::new().await;
        let (pair, ada) = ada(&house.users).await;
        let other = login(&house.users, "ada@example.com", crate::PASSWORD)
            .await
            .assert_status(200)
            .json();
        let token = pair[taken_back].as_str().unwrap();
        for _ in 0..2 {
            assert_done(&revoke(&house.orders, token).await);
            ada.get("/users/me").await.assert_problem(401, "token_revoked");
            introspect(&house.stock, token)
                .await
                .assert(200, json!({"active": false}));
        }
        refresh(&house.users, &pair["refresh_token"])
            .await
            .assert_problem(401, "invalid_refresh_token");
        for token in [&other["access_token"], &other["refresh_token"]] {
            introspect(&house.stock, token.as_str().unwrap())
                .await
                .assert(200, json!({"active": true}));
        }
    }
}

#[actix_web::test]
async fn the_refresh_token_before_the_newest_will_do_and_older_ones_wont() {
    let house = House::new().await;
    let (first, _) = ada(&house.users).await;
    let second = refresh(&house.users, &first["refresh_token"])
        .await
        .assert_status(200)
        .json();
    let third = refresh(&house.users, &second["refresh_token"])
        .await
        .assert_status(200)
        .json();
    house.users.issuer().clock().advance(seconds(60));
    let newest = third["refresh_token"].as_str().unwrap();
    assert_done(&revoke(&house.orders, first["refresh_token"].as_str().unwrap()).await);
    introspect(&house.stock, newest)
        .await
        .assert(200, json!({"active": true}));
    assert_done(&revoke(&house.orders, second["refresh_token"].as_str().unwrap()).await);
    introspect(&house.stock, newest)
        .await
        .assert(200, json!({"active": false}));
}

#[actix_web::test]
async fn what_is_no_good_token_is_taken_back_already() {
    let (house, stranger) = (House::new().await, House::new().await);
    let (pair, ada) = ada(&house.users).await;
    let (theirs, _) = crate::ada(&stranger.users).await;
    let token = pair["access_token"].as_str().unwrap();
    for token in [
        "x",
        "..",
        "%00",
        &crate::made_up(),
        &token[1..],
        theirs["access_token"].as_str().unwrap(),
        theirs["refresh_token"].as_str().unwrap(),
        &stranger.token_for_stock().await,
    ] {
        assert_done(&revoke(&house.orders, token).await);
    }
    ada.get("/users/me").await.assert_status(200);
    // Verifiers take it for 30 seconds more.
    house.users.issuer().clock().advance(seconds(900 + 30));
    assert_done(&revoke(&house.orders, token).await);
    refresh(&house.users, &pair["refresh_token"])
        .await
        .assert_status(200);
}

#[actix_web::test]
async fn a_token_that_has_ended_and_is_taken_all_the_same_can_be_taken_back() {
    let house = House::new().await;
    let (pair, ada) = ada(&house.users).await;
    house.users.issuer().clock().advance(seconds(900 + 29));
    ada.get("/users/me").await.assert_status(200);
    assert_done(&revoke(&house.orders, pair["access_token"].as_str().unwrap()).await);
    ada.get("/users/me").await.assert_problem(401, "token_revoked");
    refresh(&house.users, &pair["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
}

#[actix_web::test]
async fn a_services_token_cant_be_taken_back() {
    let house = House::new().await;
    let token = house.token_for_stock().await;
    for client in [&house.orders, &house.stock] {
        revoke(client, &token)
            .await
            .assert_oauth_error(400, "unsupported_token_type");
    }
    introspect(&house.stock, &token)
        .await
        .assert(200, json!({"active": true}));
}

#[actix_web::test]
async fn a_hint_changes_nothing_and_a_token_is_needed() {
    for (kind, hint) in [
        ("access_token", "refresh_token"),
        ("refresh_token", "access_token"),
        ("access_token", "x"),
    ] {
        let house = House::new().await;
        let (pair, ada) = ada(&house.users).await;
        let form = format!("token={}&token_type_hint={hint}", pair[kind].as_str().unwrap());
        assert_done(&house.orders.post_form("/oauth/revoke", &form).await);
        ada.get("/users/me").await.assert_problem(401, "token_revoked");
    }
    let house = House::new().await;
    for form in ["", "token=", "token_type_hint=access_token", "token=a&token=a"] {
        house
            .orders
            .post_form("/oauth/revoke", form)
            .await
            .assert_oauth_error(400, "invalid_request");
    }
}
