//! What takes tokens back while others are given out: when all is over, none of them is good.

use std::cell::Cell;
use std::future::Future;

use actix_web::http::Method;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use test_kit::{Client, TestResponse, TestService};

use crate::{PASSWORD, ada, admin, login, refresh, service_with, with_token};

const ROUNDS: usize = 12;

async fn house() -> TestService {
    service_with(&[("LOGIN_FREE_FAILURES", "100000"), ("HASH_QUEUE", "1000")]).await
}

/// How many pairs were given out so far.
type Given = Cell<usize>;

/// Waits until so many were given out.
async fn until(given: &Given, count: usize) {
    while given.get() < count {
        tokio::task::yield_now().await;
    }
}

/// Refreshes one session again and again, each time twice at once, until that is refused, and returns all that was given out.
async fn refresh_until_refused(service: &TestService, first: &Value, count: &Given) -> Vec<Value> {
    let mut pairs = vec![first.clone()];
    for _ in 0..50 {
        let newest = &pairs.last().unwrap()["refresh_token"];
        let (one, twin) = join(refresh(service, newest), refresh(service, newest)).await;
        let given: Vec<_> = [one, twin]
            .iter()
            .filter(|answer| answer.status == 200)
            .map(TestResponse::json)
            .collect();
        if given.is_empty() {
            break;
        }
        pairs.extend(given);
        count.set(pairs.len());
    }
    // Nobody has to wait for more.
    count.set(usize::MAX);
    pairs
}

async fn assert_all_are_dead(service: &TestService, pairs: &[Value]) {
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

/// Races refreshes and logins of Ada's with something that ends all her sessions.
async fn race<F: Future<Output = TestResponse>>(end: impl Fn(Client, Client, String) -> F) {
    let service = house().await;
    let (pair, _) = ada(&service).await;
    let root = admin(&service).await;
    let path = format!("/admin/users/{}", pair["user"]["id"].as_str().unwrap());
    let mut given = 0;
    for round in 0..ROUNDS {
        let pair = login(&service, "ada@example.com", PASSWORD)
            .await
            .assert_status(200)
            .json();
        let count = Given::new(1);
        let (pairs, ended) = join(refresh_until_refused(&service, &pair, &count), async {
            until(&count, round).await;
            end(root.clone(), with_token(&service, &pair), path.clone()).await
        })
        .await;
        assert!([200, 204].contains(&ended.status), "{}", ended.status);
        given += pairs.len();
        assert_all_are_dead(&service, &pairs).await;
        root.patch(&path, json!({"disabled": false}))
            .await
            .assert_status(200);
    }
    assert!(given > 3 * ROUNDS, "too few refreshes for a race: {given}");
}

#[actix_web::test]
async fn a_refresh_that_races_a_logout_leaves_no_live_token() {
    race(|_, ada, _| async move { ada.send(&Method::POST, "/auth/logout", |request| request).await }).await;
}

#[actix_web::test]
async fn a_refresh_that_races_a_logout_everywhere_leaves_no_live_token() {
    race(|_, ada, _| async move {
        ada.send(&Method::POST, "/auth/logout-all", |request| request)
            .await
    })
    .await;
}

#[actix_web::test]
async fn a_refresh_that_races_a_disable_leaves_no_live_token() {
    race(|root, _, path| async move { root.patch(&path, json!({"disabled": true})).await }).await;
}

#[actix_web::test]
async fn a_refresh_that_races_an_admins_logout_leaves_no_live_token() {
    race(|root, _, path| async move {
        root.send(&Method::POST, &format!("{path}/logout"), |request| request)
            .await
    })
    .await;
}

#[actix_web::test]
async fn a_login_that_races_a_disable_leaves_no_live_token() {
    let service = house().await;
    let (pair, _) = ada(&service).await;
    let root = admin(&service).await;
    let path = format!("/admin/users/{}", pair["user"]["id"].as_str().unwrap());
    for _ in 0..ROUNDS {
        let logins = join_all((0..4).map(|_| login(&service, "ada@example.com", PASSWORD)));
        let (answers, disabled) = join(logins, root.patch(&path, json!({"disabled": true}))).await;
        disabled.assert_status(200);
        let pairs: Vec<_> = answers
            .iter()
            .filter(|answer| answer.status == 200)
            .map(TestResponse::json)
            .collect();
        assert_all_are_dead(&service, &pairs).await;
        root.patch(&path, json!({"disabled": false}))
            .await
            .assert_status(200);
    }
}

#[actix_web::test]
async fn a_refresh_that_races_a_demotion_leaves_no_token_with_the_old_rights() {
    let service = house().await;
    let (pair, _) = ada(&service).await;
    let root = admin(&service).await;
    let path = format!("/admin/users/{}", pair["user"]["id"].as_str().unwrap());
    for round in 0..ROUNDS {
        root.patch(&path, json!({"roles": ["support"]}))
            .await
            .assert_status(200);
        let first = login(&service, "ada@example.com", PASSWORD)
            .await
            .assert_status(200)
            .json();
        let count = Given::new(1);
        let refreshes = async {
            let mut pairs = vec![first.clone()];
            for _ in 0..10 {
                let next = refresh(&service, &pairs.last().unwrap()["refresh_token"]).await;
                pairs.push(next.assert_status(200).json());
                count.set(pairs.len());
            }
            pairs
        };
        let demotion = async {
            until(&count, round % 10).await;
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
        // The session goes on.
        let last = refresh(&service, &pairs.last().unwrap()["refresh_token"])
            .await
            .assert_status(200)
            .json();
        assert_eq!(last["scope"], "products:write orders:write");
    }
}

#[actix_web::test]
async fn a_refresh_that_races_a_change_of_password_keeps_the_one_session_that_changed_it() {
    let service = house().await;
    ada(&service).await;
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
            refresh_until_refused(&service, &other, &Given::new(1)),
            with_token(&service, &kept).put("/auth/password", body),
        )
        .await;
        changed.assert_status(204);
        assert_all_are_dead(&service, &pairs).await;
        with_token(&service, &kept)
            .get("/users/me")
            .await
            .assert_status(200);
        refresh(&service, &kept["refresh_token"]).await.assert_status(200);
    }
}

#[actix_web::test]
async fn a_login_that_races_a_deletion_is_refused_as_any_other() {
    let service = house().await;
    let root = admin(&service).await;
    for _ in 0..ROUNDS {
        let user = crate::register(&service, "eve@example.com").await;
        let path = format!("/admin/users/{}", user["id"].as_str().unwrap());
        let logins = join_all((0..4).map(|_| login(&service, "eve@example.com", PASSWORD)));
        let (answers, deleted) = join(logins, root.delete(&path)).await;
        deleted.assert_status(204);
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            answer.assert_problem(401, "invalid_credentials");
        }
        let pairs: Vec<_> = answers
            .iter()
            .filter(|answer| answer.status == 200)
            .map(TestResponse::json)
            .collect();
        assert_all_are_dead(&service, &pairs).await;
    }
}
