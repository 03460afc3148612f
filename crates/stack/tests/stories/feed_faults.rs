//! The revocation feed between user-service and order-service fails.

use std::time::{Duration, Instant};

use futures_util::future::join;
use serde_json::{Value, json};
use test_kit::{Client, TestResponse};

use crate::fault_proxy::{Fault, FaultProxy};
use crate::platform::{PASSWORD, Platform};
use crate::sandbox::{Sandbox, port};
use crate::{BUSY, is_long, within, within_since};

/// How soon a connected reader obeys a revocation.
const REVOKED: Duration = Duration::from_secs(1);
/// The longest delay before a reader connects again.
const RECONNECTED: Duration = Duration::from_secs(2);
/// When a silent feed is stale: it was not heard for more than five seconds, in whole seconds.
const STALE: Duration = Duration::from_secs(6);

async fn session(platform: &Platform, email: &str) -> Value {
    platform.login(email, PASSWORD).await.assert_status(200).json()
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
    within(time + BUSY, "order-service refuses the token", async || {
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
        let admin = platform.login_admin(&sandbox).await;
        platform.register("ada@example.com").await.assert_status(201);
        let seconds = if is_long() { 60 } else { 4 };
        let mut sessions = Vec::new();
        for _ in 0..=seconds {
            sessions.push(session(&platform, "ada@example.com").await);
        }
        let last = sessions.last().unwrap();
        for pair in sessions.iter().chain([&admin]) {
            orders(&platform, pair).await.assert_status(200);
        }

        proxy.set(fault);
        let cut = Instant::now();
        let log_outs = async {
            for (second, pair) in (1..=seconds).zip(&sessions) {
                log_out(&platform, pair).await;
                // Users continue.
                orders(&platform, pair).await.assert_status(200);
                tokio::time::sleep_until((cut + Duration::from_secs(second)).into()).await;
            }
        };
        let withheld = within_since(cut, STALE + BUSY, "roles are withheld", async || {
            orders(&platform, &admin).await.status == 503
        });
        join(log_outs, withheld).await;
        orders(&platform, &admin)
            .await
            .assert_problem(503, "revocation_unknown");
        log_out(&platform, last).await;
        orders(&platform, last).await.assert_status(200);

        proxy.disconnect_all().await;
        let connected = Instant::now();
        for pair in &sessions {
            within_since(connected, RECONNECTED + BUSY, "the user is refused", async || {
                orders(&platform, pair).await.status == 401
            })
            .await;
            orders(&platform, pair).await.assert_problem(401, "token_revoked");
        }
        within_since(
            connected,
            RECONNECTED + BUSY,
            "the admin has all roles again",
            async || orders(&platform, &admin).await.status == 200,
        )
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
        sessions.push(session(&platform, "ada@example.com").await);
    }
    let [before, between, after, kept] = &sessions[..] else {
        panic!("four sessions")
    };
    log_out(&platform, before).await;
    assert_revoked_within(REVOKED, &platform, before).await;

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
    assert_revoked_within(REVOKED, &platform, after).await;
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
    within(STALE + BUSY, "the user is refused", async || {
        orders(&platform, &pair).await.status == 503
    })
    .await;
    orders(&platform, &pair)
        .await
        .assert_problem(503, "revocation_unknown");
    proxy.disconnect_all().await;
    within(RECONNECTED + BUSY, "the user is admitted", async || {
        orders(&platform, &pair).await.status == 200
    })
    .await;
}
