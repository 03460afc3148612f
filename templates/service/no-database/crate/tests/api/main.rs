//! Tests of example-service over HTTP.

mod answers;
mod callers;
mod every_route;
mod strategies;

use auth::testing::Issuer;
use service_kit::{AuthSettings, Env, KeySource, Settings, UserAuthentication};
use test_kit::{Running, TestRuntime, TestService};

use example_service::{Config, NAME, startup};

/// The route of each kind of caller.
const PUBLIC: &str = "/examples/public";
const USER: &str = "/examples/user";
const ADMIN: &str = "/examples/admin";
const SERVICE: &str = "/internal/examples/service";

/// Starts the service.
async fn service() -> TestService {
    let issuer = Issuer::new(NAME);
    let run = run_with(&issuer, UserAuthentication::AccessTokens);
    TestService::spawn(issuer, run).await
}

fn run_with(issuer: &Issuer, users: UserAuthentication) -> impl FnOnce(TestRuntime) -> Running + use<> {
    let keys = KeySource::Fixed(issuer.key_set());
    move |TestRuntime { runtime, .. }| {
        let mut env = Env::from_vars(NAME, []);
        let auth = AuthSettings {
            keys,
            users,
            feed: None,
            ..Settings::read(&mut env, NAME).auth
        };
        Box::pin(startup::run(Config { auth }, runtime))
    }
}
