//! The address of a client behind the gateway.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};
use test_kit::{Client, TestResponse};

use crate::platform::{PASSWORD, Platform};
use crate::sandbox::{GATEWAY, Sandbox};

const ONE: &str = "127.0.0.1";
const OTHER: &str = "127.0.0.2";
/// Headers by which a client may try to choose its address.
const FORGED: [&str; 5] = [
    "x-forwarded-for",
    "forwarded",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
];

/// A client of the gateway with this address.
fn client(platform: &Platform, address: &str) -> Client {
    Client::from_address(platform.url(GATEWAY), address.parse().unwrap())
}

async fn log_in(client: &Client, password: &str) -> TestResponse {
    let credentials = json!({"email": "ada@example.com", "password": password});
    client.post("/auth/login", credentials).await
}

/// The address of the newest session, as user-service saw it.
async fn address_at_login(client: &Client) -> Value {
    let pair = log_in(client, PASSWORD).await.assert_status(200).json();
    let user = client.with_token(pair["access_token"].as_str().unwrap());
    let sessions = user.get("/auth/sessions").await.assert_status(200).json();
    let sessions = sessions["items"].as_array().unwrap().clone();
    let current = sessions
        .iter()
        .find(|session| session["current"] == true)
        .unwrap();
    current["ip"].clone()
}

#[tokio::test]
async fn the_login_throttle_counts_the_address_of_the_client_and_not_of_the_gateway() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform_with(&[("LOGIN_FREE_FAILURES", "2")]).await;
    platform.register("ada@example.com").await.assert_status(201);
    let (eve, ada) = (client(&platform, ONE), client(&platform, OTHER));
    for _ in 0..2 {
        log_in(&eve, "wrong password").await.assert_status(401);
    }
    log_in(&eve, PASSWORD)
        .await
        .assert_problem(429, "too_many_attempts");
    for name in FORGED {
        for value in ["127.0.0.3", "for=127.0.0.3", "127.0.0.3, 127.0.0.2"] {
            log_in(&eve.with(name, value), PASSWORD)
                .await
                .assert_problem(429, "too_many_attempts");
        }
    }
    assert_eq!(address_at_login(&ada).await, OTHER);
}

#[tokio::test]
async fn a_forged_address_is_not_recorded() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform().await;
    platform.register("ada@example.com").await.assert_status(201);
    let ada = client(&platform, OTHER);
    let forger = FORGED.iter().fold(ada, |ada, name| ada.with(name, "203.0.113.9"));
    assert_eq!(address_at_login(&forger).await, OTHER);
}

#[tokio::test]
async fn the_gateway_believes_a_proxy_in_front_of_it_only_if_the_environment_names_it() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform_with(&[("TRUSTED_PROXIES", OTHER)]).await;
    platform.register("ada@example.com").await.assert_status(201);
    for (proxy, address) in [(OTHER, "203.0.113.9"), (ONE, ONE)] {
        let ada = client(&platform, proxy).with("x-forwarded-for", "198.51.100.1, 203.0.113.9");
        assert_eq!(address_at_login(&ada).await, address, "{proxy}");
    }
}

#[tokio::test]
async fn a_service_with_its_own_trusted_proxies_keeps_them() {
    let sandbox = Sandbox::new().await;
    let own = [("USER_SERVICE_TRUSTED_PROXIES", "192.0.2.1")];
    let platform = sandbox.platform_with(&own).await;
    platform.register("ada@example.com").await.assert_status(201);
    // user-service does not believe the gateway, so all clients have the gateway's address.
    let ada = client(&platform, OTHER);
    assert_eq!(
        address_at_login(&ada).await,
        json!(IpAddr::V4(Ipv4Addr::LOCALHOST))
    );
}
