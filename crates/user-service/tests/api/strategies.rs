//! Forged identities, in each strategy.

use actix_web::http::Method;
use auth::testing::Issuer;
use service_kit::{AuthStrategy, KeySource, UserAuthentication};
use test_kit::{Running, TestRuntime, TestService, strategies};
use user_service::{NAME, startup};

use crate::{config, random_secret};

#[actix_web::test]
async fn a_forged_identity_is_refused_in_each_strategy() {
    for (strategy, variable) in strategies::ALL
        .into_iter()
        .zip(["local", "introspect", "gateway"])
    {
        let secret = random_secret();
        let issuer = Issuer::with_secret(NAME, &secret);
        let vars = [
            ("JWT_SECRET", secret.as_str()),
            ("AUTH_STRATEGY", variable),
            ("GATEWAY_JWKS_URL", "http://localhost/internal/jwks.json"),
        ];
        let run = run_with(&vars, strategy, KeySource::Fixed(issuer.gateway_key_set()));
        let service = TestService::spawn(issuer, run).await;
        strategies::check(strategy, &service, NAME, (&Method::GET, "/admin/users")).await;
    }
}

/// Runs the service as configured, with these keys in place of the gateway's.
fn run_with(
    vars: &[(&str, &str)],
    strategy: AuthStrategy,
    gateway_keys: KeySource,
) -> impl FnOnce(TestRuntime) -> Running + use<> {
    let mut config = config(vars);
    match (strategy, &mut config.auth.users) {
        // The service itself knows which tokens are revoked, so it has no other service to ask.
        (AuthStrategy::Local | AuthStrategy::Introspect, UserAuthentication::AccessTokens) => {}
        (AuthStrategy::Gateway, UserAuthentication::IdentityTokens(keys)) => *keys = gateway_keys,
        (strategy, users) => panic!("{strategy:?}: {users:?}"),
    }
    move |TestRuntime { database, runtime }| {
        config.database = database;
        Box::pin(startup::run(config, runtime))
    }
}
