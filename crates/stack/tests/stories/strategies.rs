//! `AUTH_STRATEGY`: with `introspect`, services ask user-service about users' tokens; with `gateway`, they accept only identity tokens.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::processes;
use crate::sample_routes::SampleRoutes;
use crate::sandbox::{GATEWAY, Sandbox};
use crate::shop::lamp;

#[tokio::test]
async fn with_introspect_a_logout_is_enforced_by_every_service_at_once() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform_with(&[("AUTH_STRATEGY", "introspect")]).await;
    let pair = platform.register_ada().await;
    let token = pair["access_token"].as_str().unwrap();
    let routes = SampleRoutes::of(&platform).await.for_users;
    for route in &routes {
        let answer = route
            .call(&platform.anonymous_at(route.service).with_token(token))
            .await;
        assert!([200, 404, 422].contains(&answer.status), "{route:?}: {answer:?}");
    }
    platform
        .anonymous()
        .with_token(token)
        .post("/auth/logout", json!({"refresh_token": ""}))
        .await
        .assert_status(204);
    // The gateway verifies locally, and forwards until it has heard of the logout.
    for route in routes.iter().filter(|route| route.service != GATEWAY) {
        let answer = route
            .call(&platform.anonymous_at(route.service).with_token(token))
            .await;
        answer.assert_problem(401, "token_revoked");
    }
}

#[tokio::test]
async fn with_introspect_no_user_is_admitted_while_user_service_does_not_answer() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform_with(&[("AUTH_STRATEGY", "introspect")]).await;
    let pair = platform.register_ada().await;
    let orders = platform
        .anonymous_at("order-service")
        .with_token(pair["access_token"].as_str().unwrap());
    orders.get("/orders").await.assert_status(200);

    let user_service = platform.pid_of("user-service").unwrap();
    processes::send(user_service, Signal::STOP);
    let began = Instant::now();
    let refused = orders.get("/orders").await;
    let elapsed = began.elapsed();
    processes::send(user_service, Signal::CONT);

    refused.assert_problem(503, "revocation_unknown");
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    orders.get("/orders").await.assert_status(200);
}

#[tokio::test]
async fn with_gateway_services_find_its_keys_at_another_address() {
    let sandbox = Sandbox::new().await;
    let variables = [("AUTH_STRATEGY", "gateway"), ("GATEWAY_BIND", "127.0.0.2")];
    // A service without the keys is not ready.
    sandbox.platform_with(&variables).await;
}

#[tokio::test]
async fn with_gateway_services_know_users_only_through_the_gateway() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform_with(&[("AUTH_STRATEGY", "gateway")]).await;
    let pair = platform.register_ada().await;
    let token = pair["access_token"].as_str().unwrap();
    let gateway = platform.anonymous_at("gateway").with_token(token);
    gateway.post("/api/products", lamp()).await.assert_status(201);
    gateway.get("/api/orders").await.assert_status(200);
    gateway.get("/api/users/me").await.assert_status(200);

    for route in SampleRoutes::of(&platform).await.for_users {
        let client = platform.anonymous_at(route.service);
        let answer = route.call(&client.with_token(token)).await;
        if route.service == GATEWAY {
            assert!([200, 404, 422].contains(&answer.status), "{route:?}: {answer:?}");
            continue;
        }
        answer.assert_problem(401, "invalid_token");
        for forged in [token, "x"] {
            let forging = client
                .with("x-countersign-identity", forged)
                .with("x-user-id", "01a22357-bd82-714c-9946-d6f6b3b20c7d")
                .with("x-user-role", "admin");
            route.call(&forging).await.assert_problem(401, "invalid_token");
        }
    }
    // The gateway removes a client's own identity token.
    platform
        .anonymous_at("gateway")
        .with("x-countersign-identity", token)
        .get("/api/orders")
        .await
        .assert_problem(401, "no_token");

    gateway
        .post("/auth/logout", json!({"refresh_token": ""}))
        .await
        .assert_status(204);
    gateway
        .get("/api/users/me")
        .await
        .assert_problem(401, "token_revoked");
}
