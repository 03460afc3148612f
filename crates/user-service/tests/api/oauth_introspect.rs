//! Token introspection (RFC 7662).

use serde_json::{Value, json};

use crate::database::execute;
use crate::oauth::{CLIENT, OAuthFixture, introspect, revoke};
use crate::{logged_in_ada, random_secret, refresh, refreshed, restart, seconds};

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Requires exactly `{"active": false}` (RFC 7662 §2.2).
#[track_caller]
fn assert_inactive(response: &test_kit::TestResponse) {
    assert_eq!(response.assert_status(200).json(), json!({"active": false}));
    assert_eq!(response.header("cache-control"), "no-store");
}

#[actix_web::test]
async fn introspection_of_a_users_token_returns_its_claims() {
    let fixture = OAuthFixture::new().await;
    let (pair, _) = logged_in_ada(&fixture.users).await;
    let now = fixture.users.issuer().clock().unix();
    let response = introspect(&fixture.inventory, text(&pair["access_token"])).await;
    response.assert(
        200,
        json!({
            "active": true, "token_type": "Bearer", "iss": "http://localhost:8080", "sub": pair["user"]["id"],
            "aud": ["platform"], "iat": now, "exp": now + 900, "client_id": "countersign", "epoch": 0,
            "username": "ada@example.com", "email": "ada@example.com", "name": "Ada", "roles": ["user"],
            "scope": "products:write orders:write",
        }),
    );
    let body = response.json();
    assert!(body["jti"].is_string() && body["sid"].is_string(), "{body}");
    assert_eq!(
        (response.header("cache-control"), response.header("pragma")),
        ("no-store", "no-cache")
    );
}

#[actix_web::test]
async fn introspection_of_a_service_token_returns_its_claims_to_any_client() {
    let fixture = OAuthFixture::new().await;
    let token = fixture.inventory_token().await;
    for client in [&fixture.orders, &fixture.inventory] {
        let response = introspect(client, &token).await;
        response.assert(
            200,
            json!({
                "active": true, "token_type": "Bearer", "iss": "http://localhost:8080", "sub": CLIENT,
                "aud": ["inventory-service"], "client_id": CLIENT,
            }),
        );
        let body = response.json();
        let members = ["roles", "sid", "epoch", "username", "email", "name"];
        assert!(members.iter().all(|member| body[member].is_null()), "{body}");
    }
}

#[actix_web::test]
async fn a_refresh_token_is_active_until_its_grace_period_ends() {
    let fixture = OAuthFixture::new().await;
    let (first, _) = logged_in_ada(&fixture.users).await;
    let now = fixture.users.issuer().clock().unix();
    let live = |until: i64| json!({"active": true, "sub": first["user"]["id"], "exp": until});
    let old = text(&first["refresh_token"]);
    introspect(&fixture.inventory, old)
        .await
        .assert(200, live(now + 604_800));

    fixture.users.issuer().clock().advance(seconds(60));
    let second = refreshed(&fixture.users, &first).await;
    let new = text(&second["refresh_token"]);
    introspect(&fixture.inventory, new)
        .await
        .assert(200, live(now + 604_860));
    // Within the grace period a client that lost the response may still use it.
    introspect(&fixture.inventory, old)
        .await
        .assert(200, live(now + 604_860));
    fixture.users.issuer().clock().advance(seconds(11));
    assert_inactive(&introspect(&fixture.inventory, old).await);
    // Introspection is not use: it was no replay.
    introspect(&fixture.inventory, new)
        .await
        .assert(200, live(now + 604_860));
    refresh(&fixture.users, &second["refresh_token"])
        .await
        .assert_status(200);
    fixture.users.issuer().clock().advance(seconds(604_800));
    assert_inactive(&introspect(&fixture.inventory, new).await);
}

#[actix_web::test]
async fn an_expired_token_is_inactive_even_within_the_leeway() {
    let fixture = OAuthFixture::new().await;
    let (pair, ada) = logged_in_ada(&fixture.users).await;
    let tokens = [
        text(&pair["access_token"]).to_owned(),
        fixture.inventory_token().await,
    ];
    fixture.users.issuer().clock().advance(seconds(899));
    for token in &tokens {
        introspect(&fixture.inventory, token)
            .await
            .assert(200, json!({"active": true}));
    }
    fixture.users.issuer().clock().advance(seconds(1));
    for token in &tokens {
        assert_inactive(&introspect(&fixture.inventory, token).await);
    }
    ada.get("/users/me").await.assert_status(200);
}

#[actix_web::test]
async fn both_tokens_are_inactive_after_a_logout() {
    let fixture = OAuthFixture::new().await;
    let (pair, ada) = logged_in_ada(&fixture.users).await;
    let service_token = fixture.inventory_token().await;
    ada.post("/auth/logout", json!({"refresh_token": ""}))
        .await
        .assert_status(204);
    for token in [&pair["access_token"], &pair["refresh_token"]] {
        assert_inactive(&introspect(&fixture.inventory, text(token)).await);
    }
    introspect(&fixture.inventory, &service_token)
        .await
        .assert(200, json!({"active": true}));
}

#[actix_web::test]
async fn a_replay_deactivates_all_tokens_of_the_session() {
    let fixture = OAuthFixture::new().await;
    let (first, _) = logged_in_ada(&fixture.users).await;
    let second = refreshed(&fixture.users, &first).await;
    for pair in [&first, &second] {
        introspect(&fixture.inventory, text(&pair["access_token"]))
            .await
            .assert(200, json!({"active": true}));
    }
    fixture.users.issuer().clock().advance(seconds(11));
    refresh(&fixture.users, &first["refresh_token"])
        .await
        .assert_status(401);
    for pair in [&first, &second] {
        assert_inactive(&introspect(&fixture.inventory, text(&pair["access_token"])).await);
        assert_inactive(&introspect(&fixture.inventory, text(&pair["refresh_token"])).await);
    }
}

#[actix_web::test]
async fn tokens_of_a_disabled_changed_or_deleted_user_are_inactive() {
    for change in ["disabled = true", "epoch = epoch + 1"] {
        let fixture = OAuthFixture::new().await;
        let (pair, _) = logged_in_ada(&fixture.users).await;
        execute(
            &fixture.users,
            &format!("update users set {change} where email = 'ada@example.com'"),
        )
        .await;
        assert_inactive(&introspect(&fixture.inventory, text(&pair["access_token"])).await);
        let refresh_token = introspect(&fixture.inventory, text(&pair["refresh_token"])).await;
        if change.starts_with("disabled") {
            assert_inactive(&refresh_token);
        } else {
            // It still yields the next token pair, with the new rights.
            refresh_token.assert(200, json!({"active": true}));
        }
    }
    let fixture = OAuthFixture::new().await;
    let (pair, _) = logged_in_ada(&fixture.users).await;
    execute(
        &fixture.users,
        "delete from users where email = 'ada@example.com'",
    )
    .await;
    for token in [&pair["access_token"], &pair["refresh_token"]] {
        assert_inactive(&introspect(&fixture.inventory, text(token)).await);
    }
}

#[actix_web::test]
async fn a_session_ended_by_another_replica_is_inactive_at_once() {
    let fixture = OAuthFixture::new().await;
    let (pair, ada) = logged_in_ada(&fixture.users).await;
    // This replica has not read the revocation yet.
    execute(&fixture.users, "update sessions set ended_at = created_at").await;
    ada.get("/users/me").await.assert_status(200);
    assert_inactive(&introspect(&fixture.inventory, text(&pair["access_token"])).await);
}

#[actix_web::test]
async fn foreign_and_malformed_tokens_are_inactive() {
    let (fixture, foreign) = (OAuthFixture::new().await, OAuthFixture::new().await);
    let (foreign_pair, _) = logged_in_ada(&foreign.users).await;
    let (pair, _) = logged_in_ada(&fixture.users).await;
    let mine = text(&pair["access_token"]);
    let cut = &mine[..mine.len() - 2];
    let long = "a".repeat(60_000);
    let foreign_service_token = foreign.inventory_token().await;
    for token in [
        text(&foreign_pair["access_token"]),
        text(&foreign_pair["refresh_token"]),
        &foreign_service_token,
        cut,
        &format!("{mine}A"),
        &format!("Bearer+{mine}"),
        "x",
        "..",
        "%00",
        &long,
        &random_secret(),
    ] {
        assert_inactive(&introspect(&fixture.inventory, token).await);
    }
}

#[actix_web::test]
async fn the_token_is_required_and_its_hint_is_ignored() {
    let fixture = OAuthFixture::new().await;
    let (pair, _) = logged_in_ada(&fixture.users).await;
    for hint in ["access_token", "refresh_token", "no_such_type", ""] {
        for token in [&pair["access_token"], &pair["refresh_token"]] {
            let form = format!("token={}&token_type_hint={hint}", text(token));
            fixture
                .inventory
                .post_form("/oauth/introspect", &form)
                .await
                .assert(200, json!({"active": true}));
        }
    }
    for form in ["", "token=", "token_type_hint=access_token", "token=a&token=b"] {
        fixture
            .inventory
            .post_form("/oauth/introspect", form)
            .await
            .assert_oauth_error(400, "invalid_request");
    }
}

#[actix_web::test]
async fn users_cannot_introspect_or_revoke() {
    let fixture = OAuthFixture::new().await;
    let (pair, ada) = logged_in_ada(&fixture.users).await;
    let token = text(&pair["access_token"]);
    introspect(&ada, token)
        .await
        .assert_oauth_error(401, "invalid_client");
    revoke(&ada, token)
        .await
        .assert_oauth_error(401, "invalid_client");
}

#[actix_web::test]
async fn a_token_stays_active_after_a_restart() {
    let secret = random_secret();
    let vars = [("INVENTORY_SERVICE_SECRET", secret.as_str())];
    let users = crate::service_with(&vars).await;
    let (pair, _) = logged_in_ada(&users).await;
    let users = restart(users, &vars).await;
    let inventory = users.anonymous().with_basic_auth("inventory-service", &secret);
    introspect(&inventory, text(&pair["access_token"]))
        .await
        .assert(200, json!({"active": true}));
}
