//! The revocation feed between user-service and order-service fails.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_kit::{Client, TestResponse};

use crate::fault_proxy::{Fault, FaultProxy};
use crate::platform::{PASSWORD, Platform};
use crate::sandbox::{Sandbox, port};
use crate::{is_long, within};

/// How much later than docs/revocation.md says something may happen on a busy machine.
const MARGIN: Duration = Duration::from_secs(2);
/// The longest time before a reader connects again.
const RECONNECTED: Duration = Duration::from_secs(2).saturating_add(MARGIN);
/// The time after which a silent feed is stale.
const STALE: Duration = Duration::from_secs(6).saturating_add(MARGIN);

async fn session(platform: &Platform, email: &str, password: &str) -> Value {
    platform.login(email, password).await.assert_status(200).json()
}

fn token(pair: &Value) -> &str {
    pair["access_token"].as_str().unwrap()
}

async fn orders(platform: &Platform, pair: &Value) -> TestResponse {
    let client = platform.anonymous_at("order-service").with_token(token(pair));
    client.get("/orders").await
}

async fn log_out(platform: &Platform, pair: &Value) {
    let client: Client = platform.anonymous().with_token(token(pair));
    let answer = client.post("/auth/logout", json!({"refresh_token": ""})).await;
    answer.assert_status(204);
}

async fn assert_revoked_within(time: Duration, platform: &Platform, pair: &Value) {
    within(time, "order-service refuses the token", async || {
        orders(platform, pair).await.status == 401
    })
    .await;
    orders(platform, pair).await.assert_problem(401, "token_revoked");
}

#[tokio::test]
async fn a_service_whose_feed_is_cut_withholds_roles_and_later_obeys_all_revocations() {
    let faults = [Fault::HoldResponses, Fault::Disconnect];
    for fault in faults.into_iter().take(if is_long() { 2 } else { 1 }) {
        let sandbox = Sandbox::new().await;
        let proxy = FaultProxy::in_front_of(port(sandbox.port_base, "user-service")).await;
        let platform = sandbox
            .platform_with(&[("ORDER_SERVICE_USER_SERVICE_URL", &proxy.url)])
            .await;
        let admin = session(&platform, "admin@example.com", &sandbox.secret("admin-password")).await;
        platform.register("ada@example.com").await.assert_status(201);
        let seconds = if is_long() { 60 } else { 8 };
        let mut sessions = Vec::new();
        for _ in 0..seconds {
            sessions.push(session(&platform, "ada@example.com", PASSWORD).await);
        }
        for pair in sessions.iter().chain([&admin]) {
            orders(&platform, pair).await.assert_status(200);
        }

        proxy.set(fault);
        let cut = Instant::now();
        for (second, pair) in (1..).zip(&sessions) {
            log_out(&platform, pair).await;
            // Users continue.
            orders(&platform, pair).await.assert_status(200);
            tokio::time::sleep_until((cut + Duration::from_secs(second)).into()).await;
        }
        within(STALE, "roles are withheld", async || {
            orders(&platform, &admin).await.status == 503
        })
        .await;
        orders(&platform, &admin)
            .await
            .assert_problem(503, "revocation_unknown");

        proxy.disconnect_all().await;
        for pair in &sessions {
            assert_revoked_within(RECONNECTED, &platform, pair).await;
        }
        within(RECONNECTED, "the admin has all roles again", async || {
            orders(&platform, &admin).await.status == 200
        })
        .await;
    }
}

#[tokio::test]
async fn a_restart_of_either_side_loses_no_revocation() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform().await;
    platform.register("ada@example.com").await.assert_status(201);
    let mut sessions = Vec::new();
    for _ in 0..4 {
        sessions.push(session(&platform, "ada@example.com", PASSWORD).await);
    }
    let [before, between, after, kept] = &sessions[..] else {
        panic!("four sessions")
    };
    log_out(&platform, before).await;
    assert_revoked_within(Duration::from_secs(1), &platform, before).await;

    let killed = platform.kill("user-service");
    orders(&platform, before)
        .await
        .assert_problem(401, "token_revoked");
    orders(&platform, kept).await.assert_status(200);
    platform.wait_for_restart("user-service", killed).await;
    // The reader may not be connected yet.
    log_out(&platform, between).await;
    assert_revoked_within(RECONNECTED, &platform, between).await;

    let killed = platform.kill("order-service");
    platform.wait_for_restart("order-service", killed).await;
    for pair in [before, between] {
        orders(&platform, pair).await.assert_problem(401, "token_revoked");
    }
    log_out(&platform, after).await;
    assert_revoked_within(Duration::from_secs(1), &platform, after).await;
    orders(&platform, kept).await.assert_status(200);
}

#[tokio::test]
async fn with_refuse_a_service_whose_feed_is_cut_refuses_all_users() {
    let sandbox = Sandbox::new().await;
    let proxy = FaultProxy::in_front_of(port(sandbox.port_base, "user-service")).await;
    let platform = sandbox
        .platform_with(&[
            ("ORDER_SERVICE_USER_SERVICE_URL", &proxy.url),
            ("AUTH_WHEN_STALE", "refuse"),
        ])
        .await;
    let pair = platform.register_ada().await;
    orders(&platform, &pair).await.assert_status(200);
    proxy.set(Fault::Disconnect);
    within(STALE, "the user is refused", async || {
        orders(&platform, &pair).await.status == 503
    })
    .await;
    orders(&platform, &pair)
        .await
        .assert_problem(503, "revocation_unknown");
    proxy.disconnect_all().await;
    within(RECONNECTED, "the user is admitted", async || {
        orders(&platform, &pair).await.status == 200
    })
    .await;
}
