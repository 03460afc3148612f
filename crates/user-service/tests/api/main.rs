//! Tests of user-service over HTTP.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed expectation fails the test"
)]

mod admin_users;
mod audit_log;
mod cookies;
mod database;
mod email_upgrade;
mod every_route;
mod feed;
mod first_admin;
mod key_rotation;
mod keys;
mod last_admin;
mod login;
mod logout;
mod logout_all;
mod mail;
mod me;
mod nats;
mod oauth;
mod oauth_clients;
mod oauth_introspect;
mod oauth_revoke;
mod oauth_token;
mod openid;
mod password;
mod races;
mod refresh;
mod register;
mod rotation_under_load;
mod sessions;
mod signing_algorithm;
mod starting;
mod strategies;
mod throttle;
mod timing;
mod verifiers;
mod verify;

use std::sync::Arc;

use auth::testing::Issuer;
use serde_json::{Value, json};
use service_kit::{Env, Settings};
use test_kit::{Client, Running, TestResponse, TestRuntime, TestService};
use user_service::{Config, NAME, startup};
use uuid::Uuid;

/// A key that obviously protects nothing: the bytes 0 to 31.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const ADMIN: (&str, &str) = ("root@example.com", "the admin's password");

/// Starts the service with fresh signing keys and the first admin.
async fn service() -> TestService {
    service_with(&[]).await
}

async fn service_with(vars: &[(&str, &str)]) -> TestService {
    TestService::spawn(Issuer::new(NAME), run(vars)).await
}

/// Stops the service and starts it again on the same database, configured by `vars`.
async fn restart(service: TestService, vars: &[(&str, &str)]) -> TestService {
    let issuer = service.issuer().clone();
    TestService::spawn_on(issuer, service.stop().await, run(vars))
}

/// Starts another replica on the same database.
fn replica(service: &TestService, vars: &[(&str, &str)]) -> TestService {
    let (issuer, database) = (service.issuer().clone(), Arc::clone(service.database()));
    TestService::spawn_on(issuer, database, run(vars))
}

fn run(vars: &[(&str, &str)]) -> impl FnOnce(TestRuntime) -> Running + use<> {
    // Where mails are written, unless the test names a directory or a server.
    let directory = tempfile::tempdir().unwrap();
    let default = ("DATA_DIR", directory.path().to_str().unwrap());
    let vars: Vec<_> = [default].into_iter().chain(vars.iter().copied()).collect();
    let config = config(&vars);
    move |runtime| {
        Box::pin(async move {
            let result = run_config(config)(runtime).await;
            drop(directory);
            result
        })
    }
}

fn run_config(mut config: Config) -> impl FnOnce(TestRuntime) -> Running + use<> {
    move |TestRuntime { database, runtime }| {
        config.database = database;
        Box::pin(startup::run(config, runtime))
    }
}

/// The configuration of these variables. Its database is not that of the test.
fn config(vars: &[(&str, &str)]) -> Config {
    // Cheap hashes keep the tests fast.
    let defaults = [
        ("KEY_ENCRYPTION_KEY", KEY),
        ("ADMIN_EMAIL", ADMIN.0),
        ("ADMIN_PASSWORD", ADMIN.1),
        ("ARGON2_MEMORY_KIB", "64"),
        ("ARGON2_PASSES", "1"),
    ];
    let mut env = Env::from_vars(NAME, defaults.into_iter().chain(vars.iter().copied()));
    let settings = Settings::read(&mut env, NAME);
    let config = Config::read(&mut env, settings);
    env.finish(config).unwrap()
}

/// Starts the service with a shared secret, so that tests can sign tokens for it.
async fn service_with_shared_secret() -> TestService {
    service_with_shared_secret_and(&[]).await
}

async fn service_with_shared_secret_and(vars: &[(&str, &str)]) -> TestService {
    service_with_secret(&random_secret(), vars).await
}

async fn service_with_secret(secret: &str, vars: &[(&str, &str)]) -> TestService {
    let vars: Vec<_> = vars.iter().copied().chain([("JWT_SECRET", secret)]).collect();
    TestService::spawn(Issuer::with_secret(NAME, secret), run(&vars)).await
}

/// Whether tests run at full length, which may take minutes (`scripts/test --all`).
fn is_long() -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "the tests' own switch, not a service's configuration"
    )]
    std::env::var("LONG_TESTS").is_ok()
}

/// A secret that no other test knows.
fn random_secret() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

const PASSWORD: &str = "correct horse battery";

/// Registers a user with the password [`PASSWORD`], and returns the user.
async fn register(service: &TestService, email: &str) -> Value {
    let body = json!({"email": email, "password": PASSWORD, "name": "Ada"});
    service
        .anonymous()
        .post("/auth/register", body)
        .await
        .assert_status(201)
        .json()
}

async fn login(service: &TestService, email: &str, password: &str) -> TestResponse {
    service
        .anonymous()
        .post("/auth/login", json!({"email": email, "password": password}))
        .await
}

/// Logs in as the first admin.
async fn logged_in_admin(service: &TestService) -> Client {
    let pair = login(service, ADMIN.0, ADMIN.1).await.assert_status(200).json();
    with_token(service, &pair)
}

/// Logs in with the password [`PASSWORD`], and returns the token pair.
async fn logged_in(service: &TestService, email: &str) -> Value {
    login(service, email, PASSWORD).await.assert_status(200).json()
}

async fn refresh(service: &TestService, token: &Value) -> TestResponse {
    service
        .anonymous()
        .post("/auth/refresh", json!({"refresh_token": token}))
        .await
}

/// Refreshes with the refresh token of this token pair, and returns the next pair.
async fn refreshed(service: &TestService, pair: &Value) -> Value {
    refresh(service, &pair["refresh_token"])
        .await
        .assert_status(200)
        .json()
}

/// Registers Ada and logs her in. Returns her token pair and a client with its access token.
async fn logged_in_ada(service: &TestService) -> (Value, Client) {
    register(service, "ada@example.com").await;
    let pair = logged_in(service, "ada@example.com").await;
    let client = with_token(service, &pair);
    (pair, client)
}

fn with_token(service: &TestService, pair: &Value) -> Client {
    service
        .anonymous()
        .with_token(pair["access_token"].as_str().unwrap())
}

fn seconds(seconds: i64) -> chrono::TimeDelta {
    chrono::TimeDelta::seconds(seconds)
}
