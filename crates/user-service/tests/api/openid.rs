//! Logging in with accounts of OpenID providers.

mod attacks;
mod browser;
mod faults;
mod identities;
mod joining;
mod login;
mod provider;
mod replays;

use auth::testing::Issuer;
use serde_json::{Value, json};
use test_kit::{TestResponse, TestService};
use user_service::NAME;

pub use self::browser::Browser;
pub use self::provider::{FakeProvider, Faults, Forgery};
use crate::{restart, run};

/// A service that knows the provider `sso` and trusts its word for email addresses, and the provider.
async fn trusting() -> (TestService, FakeProvider) {
    with_vars(&[("OIDC_SSO_TRUST_EMAIL", "true")]).await
}

/// A service that knows the provider `sso`, and the provider.
async fn with_vars(vars: &[(&str, &str)]) -> (TestService, FakeProvider) {
    let issuer = Issuer::new(NAME);
    let provider = FakeProvider::start(issuer.clock().clone());
    let service = service_knowing(issuer, &[("SSO", &provider)], vars).await;
    (service, provider)
}

/// A service that knows these providers.
async fn service_knowing(
    issuer: Issuer,
    providers: &[(&str, &FakeProvider)],
    vars: &[(&str, &str)],
) -> TestService {
    let of_providers: Vec<_> = providers
        .iter()
        .flat_map(|(name, provider)| provider.vars(name))
        .collect();
    let of_providers = of_providers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let vars: Vec<_> = of_providers.chain(vars.iter().copied()).collect();
    TestService::spawn(issuer, run(&vars)).await
}

/// The same service with other variables of the provider `sso`.
async fn restart_with(service: TestService, provider: &FakeProvider, vars: &[(&str, &str)]) -> TestService {
    let of_provider = provider.vars("SSO");
    let of_provider = of_provider
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let vars: Vec<_> = of_provider.chain(vars.iter().copied()).collect();
    restart(service, &vars).await
}

/// A person as the provider knows them, with a verified address.
fn person(subject: &str, email: &str) -> Value {
    json!({"sub": subject, "email": email, "email_verified": true, "name": "Ada Lovelace"})
}

/// Begins a login in this browser, and returns the URL at the provider.
async fn begin(browser: &mut Browser, path: &str) -> String {
    let response = browser.get(path).await;
    response.assert_status(303);
    response.header("location").to_owned()
}

/// Logs a person in from a new browser, and returns the response to the callback.
async fn log_in(service: &TestService, provider: &FakeProvider, person: &Value) -> TestResponse {
    log_in_from(&mut Browser::of(service), provider, person).await
}

async fn log_in_from(browser: &mut Browser, provider: &FakeProvider, person: &Value) -> TestResponse {
    let location = begin(browser, "/auth/sso").await;
    let callback = provider.log_in(&location, person);
    browser.get(&callback).await
}
