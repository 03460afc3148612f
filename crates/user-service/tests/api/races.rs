//! Races between revocations and the issue of new tokens: afterwards no token may be valid.

use std::cell::Cell;
use std::future::Future;

use actix_web::http::Method;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use test_kit::{Client, TestResponse, TestService};

use crate::{PASSWORD, logged_in, logged_in_ada, logged_in_admin, login, refresh, service_with, with_token};

const ROUNDS: usize = 12;

async fn service_without_limits() -> TestService {
    service_with(&[("LOGIN_FREE_FAILURES", "100000"), ("HASH_QUEUE", "1000")]).await
}

/// How many token pairs were issued so far.
type IssuedCount = Cell<usize>;

/// Waits until `count` token pairs were issued.
async fn wait_until_issued(issued: &IssuedCount, count: usize) {
    while issued.get() < count {
        tokio::task::yield_now().await;
    }
}

/// Refreshes one session repeatedly, each time twice concurrently, until both are refused. Returns all issued token pairs.
async fn refresh_until_refused(service: &TestService, first: &Value, issued: &IssuedCount) -> Vec<Value> {
    let mut pairs = vec![first.clone()];
    for _ in 0..50 {
        let newest = &pairs.last().unwrap()["refresh_token"];
        let (one, twin) = join(refresh(service, newest), refresh(service, newest)).await;
        let successors: Vec<_> = [one, twin]
            .iter()
            .filter(|response| response.status == 200)
            .map(TestResponse::json)
            .collect();
        if successors.is_empty() {
            break;
        }
        pairs.extend(successors);
        issued.set(pairs.len());
    }
    // Release the other side of the race: no more pairs will come.
    issued.set(usize::MAX);
    pairs
}

async fn assert_all_are_revoked(service: &TestService, pairs: &[Value]) {
    for pair in pairs {
        with_token(service, pair)
            .get("/users/me")
            .await
            .assert_problem(401, "token_revoked");
        let verdict = service
            .anonymous()
            .post("/auth/verify", json!({"token": pair["access_token"]}))
            .await;
        assert_eq!(verdict.json(), json!({"valid": false}));
        refresh(service, &pair["refresh_token"])
            .await
            .assert_problem(401, "invalid_refresh_token");
    }
}

/// Races Ada's refreshes with `end`, which ends her session.
async fn race<F: Future<Output = TestResponse>>(end: impl Fn(Client, Client, String) -> F) {
    let service = service_without_limits().await;
    let (pair, _) = logged_in_ada(&service).await;
    let root = logged_in_admin(&service).await;
    let path = format!("/admin/users/{}", pair["user"]["id"].as_str().unwrap());
    let mut total = 0;
    for round in 0..ROUNDS {
        let pair = logged_in(&service, "ada@example.com").await;
        let issued = IssuedCount::new(1);
        let (pairs, ended) = join(refresh_until_refused(&service, &pair, &issued), async {
            wait_until_issued(&issued, round).await;
            end(root.clone(), with_token(&service, &pair), path.clone()).await
        })
        .await;
        assert!([200, 204].contains(&ended.status), "{}", ended.status);
        total += pairs.len();
        assert_all_are_revoked(&service, &pairs).await;
        root.patch(&path, json!({"disabled": false}))
            .await
            .assert_status(200);
    }
    assert!(total > 3 * ROUNDS, "too few refreshes for a race: {total}");
}

#[actix_web::test]
async fn a_refresh_that_races_a_logout_leaves_no_valid_token() {
    race(|_, ada, _| async move { ada.send(&Method::POST, "/auth/logout", |request| request).await }).await;
}

#[actix_web::test]
async fn a_refresh_that_races_logout_all_leaves_no_valid_token() {
    race(|_, ada, _| async move {
        ada.send(&Method::POST, "/auth/logout-all", |request| request)
            .await
    })
    .await;
}

#[actix_web::test]
async fn a_refresh_that_races_a_disable_leaves_no_valid_token() {
    race(|root, _, path| async move { root.patch(&path, json!({"disabled": true})).await }).await;
}

#[actix_web::test]
async fn a_refresh_that_races_an_admins_logout_leaves_no_valid_token() {
    race(|root, _, path| async move {
        root.send(&Method::POST, &format!("{path}/logout"), |request| request)
            .await
    })
    .await;
}

#[actix_web::test]
async fn a_login_that_races_a_disable_leaves_no_valid_token() {
    let service = service_without_limits().await;
    let (pair, _) = logged_in_ada(&service).await;
    let root = logged_in_admin(&service).await;
    let path = format!("/admin/users/{}", pair["user"]["id"].as_str().unwrap());
    for _ in 0..ROUNDS {
        let logins = join_all((0..4).map(|_| login(&service, "ada@example.com", PASSWORD)));
        let (responses, disabled) = join(logins, root.patch(&path, json!({"disabled": true}))).await;
        disabled.assert_status(200);
        let pairs: Vec<_> = responses
            .iter()
            .filter(|response| response.status == 200)
            .map(TestResponse::json)
            .collect();
        assert_all_are_revoked(&service, &pairs).await;
        root.patch(&path, json!({"disabled": false}))
            .await
            .assert_status(200);
    }
}

#[actix_web::test]
async fn a_refresh_that_races_a_demotion_leaves_no_token_with_the_old_rights() {
    let service = service_without_limits().await;
    let (pair, _) = logged_in_ada(&service).await;
    let root = logged_in_admin(&service).await;
    let path = format!("/admin/users/{}", pair["user"]["id"].as_str().unwrap());
    for round in 0..ROUNDS {
        root.patch(&path, json!({"roles": ["support"]}))
            .await
            .assert_status(200);
        let first = logged_in(&service, "ada@example.com").await;
        let issued = IssuedCount::new(1);
        let refreshes = async {
            let mut pairs = vec![first.clone()];
            for _ in 0..10 {
                let next = refresh(&service, &pairs.last().unwrap()["refresh_token"]).await;
                pairs.push(next.assert_status(200).json());
                issued.set(pairs.len());
            }
            pairs
        };
        let demotion = async {
            wait_until_issued(&issued, round % 10).await;
            root.patch(&path, json!({"roles": ["user"]})).await
        };
        let (pairs, demoted) = join(refreshes, demotion).await;
        demoted.assert_status(200);
        for pair in &pairs {
            let me = with_token(&service, pair);
            if pair["scope"].as_str().unwrap().contains("users:read") {
                me.get(&path).await.assert_problem(401, "token_revoked");
            } else {
                me.get("/users/me").await.assert_status(200);
            }
        }
        // The session continues with the new rights.
        let last = refresh(&service, &pairs.last().unwrap()["refresh_token"])
            .await
            .assert_status(200)
            .json();
        assert_eq!(last["scope"], "products:write orders:write");
    }
}

#[actix_web::test]
async fn a_change_of_password_that_races_a_refresh_keeps_only_its_own_session() {
    let service = service_without_limits().await;
    logged_in_ada(&service).await;
    let passwords = [PASSWORD, "another one of mine"];
    for round in 0..ROUNDS {
        let (current, new) = (passwords[round % 2], passwords[(round + 1) % 2]);
        let kept = login(&service, "ada@example.com", current)
            .await
            .assert_status(200)
            .json();
        let other = login(&service, "ada@example.com", current)
            .await
            .assert_status(200)
            .json();
        let body = json!({"current_password": current, "new_password": new});
        let (pairs, changed) = join(
            refresh_until_refused(&service, &other, &IssuedCount::new(1)),
            with_token(&service, &kept).put("/auth/password", body),
        )
        .await;
        changed.assert_status(204);
        assert_all_are_revoked(&service, &pairs).await;
        with_token(&service, &kept)
            .get("/users/me")
            .await
            .assert_status(200);
        refresh(&service, &kept["refresh_token"]).await.assert_status(200);
    }
}

#[actix_web::test]
async fn a_login_that_races_a_deletion_gets_invalid_credentials() {
    let service = service_without_limits().await;
    let root = logged_in_admin(&service).await;
    for _ in 0..ROUNDS {
        let user = crate::register(&service, "eve@example.com").await;
        let path = format!("/admin/users/{}", user["id"].as_str().unwrap());
        let logins = join_all((0..4).map(|_| login(&service, "eve@example.com", PASSWORD)));
        let (responses, deleted) = join(logins, root.delete(&path)).await;
        deleted.assert_status(204);
        for response in responses.iter().filter(|response| response.status != 200) {
            response.assert_problem(401, "invalid_credentials");
        }
        let pairs: Vec<_> = responses
            .iter()
            .filter(|response| response.status == 200)
            .map(TestResponse::json)
            .collect();
        assert_all_are_revoked(&service, &pairs).await;
    }
}
