//! The strategies (`AUTH_STRATEGY`): forged identities in each of them, and the gateway's keys.
#![expect(clippy::unwrap_used, reason = "a test panics when its setup fails")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use actix_web::http::Method;
use auth::testing::Issuer;
use auth::{Algorithm, IDENTITY_HEADER, KeySet};
use product_service::{Config, NAME, startup};
use service_kit::{Env, KeySource, Settings};
use test_kit::{TestRuntime, TestService, strategies};

use crate::{lamp, run_with};

#[actix_web::test]
async fn a_forged_identity_is_refused_in_each_strategy() {
    for strategy in strategies::ALL {
        let issuer = Issuer::new(NAME);
        let run = run_with(&issuer, strategies::users(strategy, &issuer, NAME));
        let shop = TestService::spawn(issuer, run).await;
        let route = (&Method::DELETE, "/products/019dd2a8-0000-7000-8000-000000000000");
        strategies::check(strategy, &shop, NAME, route).await;
    }
}

#[actix_web::test]
async fn with_gateway_a_service_is_ready_once_it_has_the_gateways_keys() {
    let issuer = Issuer::new(NAME);
    let gateway = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/internal/jwks.json", gateway.local_addr().unwrap());
    let keys = KeySource::Fixed(issuer.key_set());
    let run = move |TestRuntime { database, runtime }| {
        let vars = [
            ("AUTH_STRATEGY", "gateway"),
            ("GATEWAY_JWKS_URL", url.as_str()),
            ("PRODUCT_SERVICE_SECRET", "not-a-secret"),
        ];
        let mut env = Env::from_vars(NAME, vars);
        let settings = Settings::read(&mut env, NAME);
        let mut config = Config::read(&mut env, settings);
        config.database = database;
        config.auth.keys = keys;
        config.auth.feed = None;
        startup::run(env.finish(config).unwrap(), runtime)
    };
    let shop = TestService::spawn(issuer, run).await;

    // The gateway does not respond yet.
    let not_ready = shop.anonymous().get("/health/ready").await;
    not_ready.assert_problem(503, "not_ready");
    assert_eq!(not_ready.json()["detail"], "Not ready: gateway keys.");
    let identity = shop.user_token("ada", &["user"]).identity_for(NAME).token();
    let ada = shop.anonymous().with(IDENTITY_HEADER, &identity);

    let jwks = shop.issuer().gateway_jwks().to_string();
    assert!(KeySet::from_jwks(jwks.as_bytes(), &[Algorithm::EdDSA]).is_ok());
    std::thread::spawn(move || publish(&gateway, &jwks));
    let deadline = Instant::now() + Duration::from_secs(20);
    while shop.anonymous().get("/health/ready").await.status != 200 {
        assert!(Instant::now() < deadline);
    }
    ada.post("/products", lamp()).await.assert_status(201);
}

/// Publishes a key set until the process ends.
fn publish(listener: &TcpListener, jwks: &str) {
    for connection in listener.incoming() {
        let mut connection = connection.unwrap();
        let length = jwks.len();
        let response =
            format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{jwks}");
        // A service that gave up has closed its connection.
        drop(connection.read(&mut [0; 4096]));
        drop(connection.write_all(response.as_bytes()));
    }
}
