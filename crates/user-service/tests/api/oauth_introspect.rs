//! Asking about tokens.

use serde_json::{Value, json};

use crate::database::execute;
use crate::oauth::{CLIENT, House, introspect, revoke};
use crate::{ada, made_up, refresh, restart, seconds};

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Requires `{"active": false}` and nothing else.
#[track_caller]
fn assert_inactive(answer: &test_kit::TestResponse) {
    assert_eq!(answer.assert_status(200).json(), json!({"active": false}));
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[actix_web::test]
async fn a_persons_token_tells_what_it_says() {
    let house = House::new().await;
    let (pair, _) = ada(&house.users).await;
    let now = house.users.issuer().clock().unix();
    let answer = introspect(&house.stock, text(&pair["access_token"])).await;
    answer.assert(
        200,
        json!({
            "active": true, "token_type": "Bearer", "iss": "http://localhost:8080", "sub": pair["user"]["id"],
            "aud": ["platform"], "iat": now, "exp": now + 900, "client_id": "countersign", "epoch": 0,
            "username": "ada@example.com", "email": "ada@example.com", "name": "Ada", "roles": ["user"],
            "scope": "products:write orders:write",
        }),
    );
    let body = answer.json();
    assert!(body["jti"].is_string() && body["sid"].is_string(), "{body}");
    assert_eq!(
        (answer.header("cache-control"), answer.header("pragma")),
        ("no-store", "no-cache")
    );
}

#[actix_web::test]
async fn a_services_token_tells_what_it_says_to_any_service() {
    let house = House::new().await;
    let token = house.token_for_stock().await;
    for client in [&house.orders, &house.stock] {
        let answer = introspect(client, &token).await;
        answer.assert(
            200,
            json!({
                "active": true, "token_type": "Bearer", "iss": "http://localhost:8080", "sub": CLIENT,
                "aud": ["inventory-service"], "client_id": CLIENT,
            }),
        );
        let body = answer.json();
        let members = ["roles", "sid", "epoch", "username", "email", "name", "scope"];
        assert!(members.iter().all(|member| body[member].is_null()), "{body}");
    }
}

#[actix_web::test]
async fn a_refresh_token_is_good_until_it_is_replaced() {
    let house = House::new().await;
    let (first, _) = ada(&house.users).await;
    let now = house.users.issuer().clock().unix();
    let live = |until: i64| json!({"active": true, "sub": first["user"]["id"], "exp": until});
    let old = text(&first["refresh_token"]);
    introspect(&house.stock, old)
        .await
        .assert(200, live(now + 604_800));

    house.users.issuer().clock().advance(seconds(60));
    let second = refresh(&house.users, &first["refresh_token"])
        .await
        .assert_status(200)
        .json();
    let new = text(&second["refresh_token"]);
    introspect(&house.stock, new)
        .await
        .assert(200, live(now + 604_860));
    // Whoever missed the answer may still use it.
    introspect(&house.stock, old)
        .await
        .assert(200, live(now + 604_860));
    house.users.issuer().clock().advance(seconds(11));
    assert_inactive(&introspect(&house.stock, old).await);
    // To ask is not to use: it was no replay.
    introspect(&house.stock, new)
        .await
        .assert(200, live(now + 604_860));
    refresh(&house.users, &second["refresh_token"])
        .await
        .assert_status(200);
    house.users.issuer().clock().advance(seconds(604_800));
    assert_inactive(&introspect(&house.stock, new).await);
}

#[actix_web::test]
async fn a_token_that_has_ended_is_good_no_more_not_even_within_the_leeway() {
    let house = House::new().await;
    let (pair, ada) = ada(&house.users).await;
    let tokens = [
        text(&pair["access_token"]).to_owned(),
        house.token_for_stock().await,
    ];
    house.users.issuer().clock().advance(seconds(899));
    for token in &tokens {
        introspect(&house.stock, token)
            .await
            .assert(200, json!({"active": true}));
    }
    house.users.issuer().clock().advance(seconds(1));
    for token in &tokens {
        assert_inactive(&introspect(&house.stock, token).await);
    }
    ada.get("/users/me").await.assert_status(200);
}

#[actix_web::test]
async fn after_a_logout_neither_token_is_good() {
    let house = House::new().await;
    let (pair, ada) = ada(&house.users).await;
    let service_token = house.token_for_stock().await;
    ada.post("/auth/logout", json!({"refresh_token": ""}))
        .await
        .assert_status(204);
    for token in [&pair["access_token"], &pair["refresh_token"]] {
        assert_inactive(&introspect(&house.stock, text(token)).await);
    }
    introspect(&house.stock, &service_token)
        .await
        .assert(200, json!({"active": true}));
}

#[actix_web::test]
async fn a_replayed_refresh_token_takes_the_access_tokens_along() {
    let house = House::new().await;
    let (first, _) = ada(&house.users).await;
    let second = refresh(&house.users, &first["refresh_token"])
        .await
        .assert_status(200)
        .json();
    for pair in [&first, &second] {
        introspect(&house.stock, text(&pair["access_token"]))
            .await
            .assert(200, json!({"active": true}));
    }
    house.users.issuer().clock().advance(seconds(11));
    refresh(&house.users, &first["refresh_token"])
        .await
        .assert_status(401);
    for pair in [&first, &second] {
        assert_inactive(&introspect(&house.stock, text(&pair["access_token"])).await);
        assert_inactive(&introspect(&house.stock, text(&pair["refresh_token"])).await);
    }
}

#[actix_web::test]
async fn of_a_disabled_user_or_one_with_other_rights_no_token_is_good() {
    for change in ["disabled = true", "epoch = epoch + 1"] {
        let house = House::new().await;
        let (pair, _) = ada(&house.users).await;
        execute(
            &house.users,
            &format!("update users set {change} where email = 'ada@example.com'"),
        )
        .await;
        assert_inactive(&introspect(&house.stock, text(&pair["access_token"])).await);
        let refresh_token = introspect(&house.stock, text(&pair["refresh_token"])).await;
        if change.starts_with("disabled") {
            assert_inactive(&refresh_token);
        } else {
            // It gets the next pair, with the new rights.
            refresh_token.assert(200, json!({"active": true}));
        }
    }
    let house = House::new().await;
    let (pair, _) = ada(&house.users).await;
    execute(&house.users, "delete from users where email = 'ada@example.com'").await;
    for token in [&pair["access_token"], &pair["refresh_token"]] {
        assert_inactive(&introspect(&house.stock, text(token)).await);
    }
}

#[actix_web::test]
async fn what_was_taken_back_by_another_replica_is_known() {
    let house = House::new().await;
    let (pair, ada) = ada(&house.users).await;
    // Of this the replica's own revocations say nothing.
    execute(&house.users, "update sessions set ended_at = created_at").await;
    ada.get("/users/me").await.assert_status(200);
    assert_inactive(&introspect(&house.stock, text(&pair["access_token"])).await);
}

#[actix_web::test]
async fn what_is_no_token_of_ours_is_not_good() {
    let (house, stranger) = (House::new().await, House::new().await);
    let (theirs, _) = ada(&stranger.users).await;
    let (pair, _) = ada(&house.users).await;
    let mine = text(&pair["access_token"]);
    let cut = &mine[..mine.len() - 2];
    let long = "a".repeat(60_000);
    let foreign_service_token = stranger.token_for_stock().await;
    for token in [
        text(&theirs["access_token"]),
        text(&theirs["refresh_token"]),
        &foreign_service_token,
        cut,
        &format!("{mine}A"),
        &format!("Bearer+{mine}"),
        "x",
        "..",
        "%00",
        &long,
        &made_up(),
    ] {
        assert_inactive(&introspect(&house.stock, token).await);
    }
}

#[actix_web::test]
async fn a_hint_changes_nothing_and_a_token_is_needed() {
    let house = House::new().await;
    let (pair, _) = ada(&house.users).await;
    for hint in ["access_token", "refresh_token", "no_such_type", ""] {
        for token in [&pair["access_token"], &pair["refresh_token"]] {
            let form = format!("token={}&token_type_hint={hint}", text(token));
            house
                .stock
                .post_form("/oauth/introspect", &form)
                .await
                .assert(200, json!({"active": true}));
        }
    }
    for form in ["", "token=", "token_type_hint=access_token", "token=a&token=b"] {
        house
            .stock
            .post_form("/oauth/introspect", form)
            .await
            .assert_oauth_error(400, "invalid_request");
    }
}

#[actix_web::test]
async fn people_cant_ask() {
    let house = House::new().await;
    let (pair, ada) = ada(&house.users).await;
    let token = text(&pair["access_token"]);
    introspect(&ada, token)
        .await
        .assert_oauth_error(401, "invalid_client");
    revoke(&ada, token)
        .await
        .assert_oauth_error(401, "invalid_client");
}

#[actix_web::test]
async fn a_token_outlives_a_restart() {
    let secret = made_up();
    let vars = [("INVENTORY_SERVICE_SECRET", secret.as_str())];
    let users = crate::service_with(&vars).await;
    let (pair, _) = ada(&users).await;
    let users = restart(users, &vars).await;
    let stock = users.anonymous().with_basic_auth("inventory-service", &secret);
    introspect(&stock, text(&pair["access_token"]))
        .await
        .assert(200, json!({"active": true}));
}
