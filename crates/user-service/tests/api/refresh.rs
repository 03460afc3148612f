//! Refreshing a session.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::{
    logged_in, logged_in_ada, refresh, refreshed, restart, seconds, service, service_with, with_token,
};

#[actix_web::test]
async fn a_refresh_returns_the_next_token_pair_of_the_same_session() {
    let service = service().await;
    let (first, _) = logged_in_ada(&service).await;
    service.issuer().clock().advance(seconds(600));
    let response = refresh(&service, &first["refresh_token"]).await;
    response.assert(200, json!({"token_type": "Bearer", "expires_in": 900, "refresh_expires_in": 604_800, "user": first["user"]}));
    assert_eq!(response.header("cache-control"), "no-store");
    let second = response.json();
    assert_ne!(second["access_token"], first["access_token"]);
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    with_token(&service, &second)
        .get("/users/me")
        .await
        .assert_status(200);
    with_token(&service, &first)
        .get("/users/me")
        .await
        .assert_status(200);

    // Both token pairs belong to one session, so a logout revokes both.
    with_token(&service, &second)
        .post("/auth/logout", json!({"refresh_token": ""}))
        .await
        .assert_status(204);
    with_token(&service, &first)
        .get("/users/me")
        .await
        .assert_problem(401, "token_revoked");
}

#[actix_web::test]
async fn a_hundred_concurrent_refreshes_with_one_token_return_one_successor() {
    let service = service().await;
    let (pair, _) = logged_in_ada(&service).await;
    let responses =
        futures_util::future::join_all((0..100).map(|_| refresh(&service, &pair["refresh_token"]))).await;
    let successors: HashSet<String> = responses
        .iter()
        .map(|response| {
            response.assert_status(200).json()["refresh_token"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(successors.len(), 1);

    let successor = json!(successors.into_iter().next().unwrap());
    refresh(&service, &successor).await.assert_status(200);
}

#[actix_web::test]
async fn a_repeated_refresh_within_the_grace_period_returns_the_same_successor() {
    let service = service().await;
    let (pair, _) = logged_in_ada(&service).await;
    let first = refreshed(&service, &pair).await;
    service.issuer().clock().advance(seconds(10));
    let again = refreshed(&service, &pair).await;
    assert_eq!(again["refresh_token"], first["refresh_token"]);
}

#[actix_web::test]
async fn a_replay_after_the_grace_period_ends_the_session() {
    let service = service().await;
    let (pair, ada) = logged_in_ada(&service).await;
    let successor = refreshed(&service, &pair).await;
    service
        .issuer()
        .clock()
        .advance(seconds(10) + chrono::TimeDelta::microseconds(1));
    refresh(&service, &pair["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");

    refresh(&service, &successor["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
    ada.get("/users/me").await.assert_problem(401, "token_revoked");
    with_token(&service, &successor)
        .get("/users/me")
        .await
        .assert_problem(401, "token_revoked");
}

#[actix_web::test]
async fn a_replay_after_the_successor_was_used_ends_the_session_within_the_grace_period() {
    let service = service().await;
    let (first, _) = logged_in_ada(&service).await;
    let second = refreshed(&service, &first).await;
    let third = refreshed(&service, &second).await;
    refresh(&service, &first["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
    refresh(&service, &third["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
}

#[actix_web::test]
async fn a_replay_of_a_much_older_token_ends_the_session() {
    let service = service().await;
    let (first, _) = logged_in_ada(&service).await;
    let mut newest = first.clone();
    for _ in 0..5 {
        service.issuer().clock().advance(seconds(3_600));
        newest = refreshed(&service, &newest).await;
    }
    refresh(&service, &first["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
    refresh(&service, &newest["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
}

#[actix_web::test]
async fn a_replay_ends_only_its_own_session() {
    let service = service().await;
    let (phone, _) = logged_in_ada(&service).await;
    let laptop = logged_in(&service, "ada@example.com").await;
    refresh(&service, &phone["refresh_token"])
        .await
        .assert_status(200);
    service.issuer().clock().advance(seconds(11));
    refresh(&service, &phone["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
    refresh(&service, &laptop["refresh_token"])
        .await
        .assert_status(200);
    with_token(&service, &laptop)
        .get("/users/me")
        .await
        .assert_status(200);
}

#[actix_web::test]
async fn a_refresh_token_expires_7_days_after_its_last_use_and_30_days_after_login() {
    let service = service().await;
    let (pair, _) = logged_in_ada(&service).await;
    let days = |days: i64| chrono::TimeDelta::days(days);
    let mut token = pair["refresh_token"].clone();
    for _ in 0..4 {
        service.issuer().clock().advance(days(7) - seconds(1));
        token = refresh(&service, &token).await.assert_status(200).json()["refresh_token"].clone();
    }
    // 28 days less 4 seconds have passed since the login.
    service.issuer().clock().advance(days(1));
    let last = refresh(&service, &token).await.assert_status(200).json();
    assert_eq!(last["refresh_expires_in"], 86_400 + 4);
    service.issuer().clock().advance(days(1) + seconds(4));
    refresh(&service, &last["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");

    let other = logged_in(&service, "ada@example.com").await;
    service.issuer().clock().advance(days(7));
    refresh(&service, &other["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
}

#[actix_web::test]
async fn an_unknown_refresh_token_is_refused_and_ends_nothing() {
    let service = service().await;
    let (pair, ada) = logged_in_ada(&service).await;
    let good = pair["refresh_token"].as_str().unwrap();
    let unknown = "A".repeat(43);
    for token in [
        "",
        "x",
        &good[1..],
        &format!("{good}="),
        &format!(" {good}"),
        &unknown,
        pair["access_token"].as_str().unwrap(),
    ] {
        refresh(&service, &json!(token))
            .await
            .assert_problem(401, "invalid_refresh_token");
    }
    for wrong in [json!(null), json!(7), json!({})] {
        refresh(&service, &wrong).await.assert_invalid("refresh_token");
    }
    ada.get("/users/me").await.assert_status(200);
    refresh(&service, &json!(good)).await.assert_status(200);
}

#[actix_web::test]
async fn a_session_and_its_grace_period_survive_a_restart() {
    let service = service().await;
    let (pair, _) = logged_in_ada(&service).await;
    let first = refreshed(&service, &pair).await;
    let service = restart(service, &[]).await;
    let again = refreshed(&service, &pair).await;
    assert_eq!(again["refresh_token"], first["refresh_token"]);
    with_token(&service, &first)
        .get("/users/me")
        .await
        .assert_status(200);
    refresh(&service, &first["refresh_token"])
        .await
        .assert_status(200);
}

#[actix_web::test]
async fn the_grace_period_can_be_turned_off() {
    let service = service_with(&[("REFRESH_GRACE", "0s")]).await;
    let (pair, _) = logged_in_ada(&service).await;
    refresh(&service, &pair["refresh_token"]).await.assert_status(200);
    service
        .issuer()
        .clock()
        .advance(chrono::TimeDelta::microseconds(1));
    refresh(&service, &pair["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
}

#[actix_web::test]
async fn a_refresh_returns_a_changed_name() {
    let service = service().await;
    let (pair, ada) = logged_in_ada(&service).await;
    ada.patch("/users/me", json!({"name": "Countess"}))
        .await
        .assert_status(200);
    let next: Value = refreshed(&service, &pair).await;
    assert_eq!(next["user"]["name"], "Countess");
}

#[actix_web::test]
async fn a_refused_refresh_token_is_answered_with_a_challenge_that_is_not_bearer() {
    let service = service().await;
    for token in ["", "x", &"A".repeat(43)] {
        let answer = refresh(&service, &json!(token)).await;
        answer.assert_problem(401, "invalid_refresh_token");
        assert_eq!(
            answer.header("www-authenticate"),
            r#"RefreshToken realm="countersign""#
        );
    }
}
