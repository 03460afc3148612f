//! A provider that is slow, broken, huge, or changes its keys. Passwords work all the same.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::json;
use test_kit::TestService;
use tokio::sync::Barrier;

use super::attacks::begun;
use super::{Browser, FakeProvider, Faults, begin, log_in, person, trusting, with_vars};
use crate::{PASSWORD, login, register, seconds};

/// How long a response may take while the provider does not answer: 5 seconds, and 2 more for a busy machine.
const LIMIT: Duration = Duration::from_secs(7);

async fn assert_passwords_work(service: &TestService) {
    register(service, "bob@example.com").await;
    login(service, "bob@example.com", PASSWORD)
        .await
        .assert_status(200);
}

fn answering(path: &'static str, status: u16, body: &str) -> Faults {
    Faults {
        answers: HashMap::from([(path, (status, body.to_owned()))]),
        ..Faults::default()
    }
}

/// Logs in until the callback, which the provider answers with these faults.
async fn callback_with(
    service: &TestService,
    provider: &FakeProvider,
    faults: Faults,
) -> test_kit::TestResponse {
    provider.set_faults(Faults::default());
    let (mut browser, callback) = begun(service, provider).await;
    provider.set_faults(faults);
    browser.get(&callback).await
}

#[actix_web::test]
async fn a_provider_that_cannot_be_reached_is_503() {
    let unreachable = [
        ("OIDC_SSO_ISSUER", "http://127.0.0.1:1"),
        ("OIDC_SSO_CLIENT_ID", "shop"),
        ("OIDC_SSO_CLIENT_SECRET", "not-a-secret"),
    ];
    let service = crate::service_with(&unreachable).await;
    let response = service.anonymous().get("/auth/sso").await;
    response.assert_problem(503, "provider_unavailable");
    assert_eq!(response.header("retry-after"), "1");
    assert_passwords_work(&service).await;
}

#[actix_web::test]
async fn broken_metadata_is_502_and_is_asked_for_again() {
    let (service, provider) = trusting().await;
    let path = "/.well-known/openid-configuration";
    let huge = format!("{{\"x\": \"{}\"}}", "x".repeat(300 * 1024));
    for (status, body) in [
        (200, "not json"),
        (200, "{}"),
        (404, "{}"),
        (200, &huge),
        (302, ""),
    ] {
        provider.set_faults(answering(path, status, body));
        service
            .anonymous()
            .get("/auth/sso")
            .await
            .assert_problem(502, "provider_error");
    }
    for metadata in [
        json!({"issuer": "https://evil.example"}),
        json!({"token_endpoint": "file:///etc/passwd"}),
        json!({"authorization_endpoint": "javascript:alert(1)"}),
        json!({"jwks_uri": null}),
        // Valid, but too long.
        json!({"padding": "x".repeat(300 * 1024)}),
    ] {
        provider.set_faults(Faults {
            metadata: Some(metadata),
            ..Faults::default()
        });
        service
            .anonymous()
            .get("/auth/sso")
            .await
            .assert_problem(502, "provider_error");
    }
    provider.set_faults(answering(path, 500, "{}"));
    service
        .anonymous()
        .get("/auth/sso")
        .await
        .assert_problem(503, "provider_unavailable");

    provider.set_faults(Faults::default());
    log_in(&service, &provider, &person("1", "ada@example.com"))
        .await
        .assert_status(200);
}

#[actix_web::test]
async fn metadata_is_fetched_once() {
    let (service, provider) = trusting().await;
    for _ in 0..3 {
        log_in(&service, &provider, &person("1", "ada@example.com"))
            .await
            .assert_status(200);
    }
    let inner = provider.inner();
    assert_eq!(inner.requests["/.well-known/openid-configuration"], 1);
    assert_eq!(inner.requests["/jwks"], 1);
}

#[actix_web::test]
async fn a_broken_token_endpoint_is_502_or_503() {
    let (service, provider) = trusting().await;
    let huge = "x".repeat(300 * 1024);
    for (status, body, expected) in [
        (200, "not json", 502),
        (200, "{}", 502),
        (200, r#"{"access_token": "a", "token_type": "Bearer"}"#, 502),
        (200, huge.as_str(), 502),
        (400, r#"{"error": "invalid_client"}"#, 502),
        (400, r#"{"error": "invalid_grant"}"#, 400),
        (401, "no json", 502),
        (307, "", 502),
        (503, "", 503),
    ] {
        let response = callback_with(&service, &provider, answering("/token", status, body)).await;
        assert_eq!(
            response.status, expected,
            "{status} {body:.40}: {}",
            response.body
        );
    }
    let response = callback_with(
        &service,
        &provider,
        Faults {
            uses_userinfo: true,
            ..answering("/userinfo", 401, "{}")
        },
    )
    .await;
    response.assert_problem(502, "provider_error");
    assert_passwords_work(&service).await;
}

#[actix_web::test]
async fn a_slow_provider_is_503_within_5_seconds() {
    let (service, provider) = trusting().await;
    provider.set_faults(Faults {
        delay: Duration::from_secs(30),
        ..Faults::default()
    });
    let begin = async || {
        let began = Instant::now();
        let response = service.anonymous().get("/auth/sso").await;
        response.assert_problem(503, "provider_unavailable");
        assert!(began.elapsed() < LIMIT, "{:?}", began.elapsed());
    };
    // The second request waits for the first.
    tokio::join!(begin(), begin(), assert_passwords_work(&service));
}

#[actix_web::test]
async fn a_provider_that_is_slow_when_the_browser_returns_is_503_within_5_seconds() {
    // The start of one service must not delay the response of another.
    let all_run = Barrier::new(3);
    let wait_at = async |path| {
        let (service, provider) = trusting().await;
        // Before the login begins, because the keys are fetched soon after it.
        provider.set_faults(Faults {
            delay: Duration::from_secs(30),
            delayed_path: Some(path),
            uses_userinfo: true,
            ..Faults::default()
        });
        let (mut browser, callback) = begun(&service, &provider).await;
        all_run.wait().await;
        let began = Instant::now();
        let response = browser.get(&callback).await;
        response.assert_problem(503, "provider_unavailable");
        assert!(began.elapsed() < LIMIT, "{path}: {:?}", began.elapsed());
    };
    tokio::join!(wait_at("/token"), wait_at("/jwks"), wait_at("/userinfo"));
}

#[actix_web::test]
async fn a_provider_may_replace_its_keys() {
    let (service, provider) = trusting().await;
    let ada = person("1", "ada@example.com");
    log_in(&service, &provider, &ada).await.assert_status(200);
    provider.rotate_key();
    log_in(&service, &provider, &ada).await.assert_status(200);
}

#[actix_web::test]
async fn a_provider_without_usable_keys_is_503() {
    for (status, body) in [(500, "{}"), (200, "not json"), (200, r#"{"keys": []}"#)] {
        let (service, provider) = with_vars(&[]).await;
        provider.set_faults(answering("/jwks", status, body));
        log_in(&service, &provider, &person("1", "ada@example.com"))
            .await
            .assert_problem(503, "provider_unavailable");
    }
}

#[actix_web::test]
async fn a_login_may_take_minutes() {
    let (service, provider) = trusting().await;
    let mut browser = Browser::of(&service);
    let location = begin(&mut browser, "/auth/sso").await;
    let callback = provider.log_in(&location, &person("1", "ada@example.com"));
    service.issuer().clock().advance(seconds(500));
    browser.get(&callback).await.assert_status(200);
}
