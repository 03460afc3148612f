//! Attacks on the flow. None of them leads to a login.

use auth::testing::Issuer;
use serde_json::{Value, json};
use test_kit::{TestResponse, TestService};
use user_service::NAME;

use super::provider::CLIENT_ID;
use super::{Browser, FakeProvider, Faults, Forgery, begin, log_in, person, service_knowing, trusting};
use crate::seconds;

fn ada() -> Value {
    person("1", "ada@example.com")
}

/// A browser that began a login, and the page to which the provider sends it back.
pub async fn begun(service: &TestService, provider: &FakeProvider) -> (Browser, String) {
    let mut browser = Browser::of(service);
    let location = begin(&mut browser, "/auth/sso").await;
    let callback = provider.log_in(&location, &ada());
    (browser, callback)
}

pub fn assert_no_login(response: &TestResponse) {
    response.assert_problem(400, "provider_login_expired");
    let set: Vec<_> = response.headers.get_all("set-cookie").iter().collect();
    assert!(
        set.iter()
            .all(|cookie| cookie.to_str().unwrap().contains("Max-Age=0")),
        "{set:?}"
    );
}

fn with_state(callback: &str, state: &str) -> String {
    let (before, rest) = callback.split_once("state=").unwrap();
    let after = rest.split_once('&').map_or("", |(_, after)| after);
    format!("{before}state={state}&{after}")
}

#[actix_web::test]
async fn a_missing_or_wrong_state_is_refused() {
    let (service, provider) = trusting().await;
    let (mut browser, callback) = begun(&service, &provider).await;
    for wrong in [
        with_state(&callback, ""),
        with_state(&callback, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        callback.replace("state=", "status="),
    ] {
        assert_no_login(&browser.get(&wrong).await);
    }
    browser
        .get(&format!("{callback}&state=again"))
        .await
        .assert_problem(400, "invalid_query");
    // The browser's own login continues.
    browser.get(&callback).await.assert_status(200);
}

#[actix_web::test]
async fn an_answer_to_another_browser_is_refused() {
    let (service, provider) = trusting().await;
    // Login CSRF: the attacker sends the victim to the attacker's own callback.
    let (_attacker, callback) = begun(&service, &provider).await;
    assert_no_login(&Browser::of(&service).get(&callback).await);

    let (mut victim, own_callback) = begun(&service, &provider).await;
    assert_no_login(&victim.get(&callback).await);
    victim.get(&own_callback).await.assert_status(200);
}

#[actix_web::test]
async fn a_code_of_another_login_is_refused() {
    let (service, provider) = trusting().await;
    let (_attacker, stolen) = begun(&service, &provider).await;
    let (mut browser, callback) = begun(&service, &provider).await;
    let code = |callback: &str| {
        callback
            .split_once("code=")
            .unwrap()
            .1
            .split('&')
            .next()
            .unwrap()
            .to_owned()
    };
    // The provider compares the PKCE verifier.
    let injected = callback.replace(&code(&callback), &code(&stolen));
    browser
        .get(&injected)
        .await
        .assert_problem(400, "provider_refused");

    // If it does not, the nonce differs.
    provider.set_faults(Faults {
        careless: true,
        ..Faults::default()
    });
    let (_attacker, stolen) = begun(&service, &provider).await;
    let (mut browser, callback) = begun(&service, &provider).await;
    let injected = callback.replace(&code(&callback), &code(&stolen));
    browser.get(&injected).await.assert_problem(502, "provider_error");
}

#[actix_web::test]
async fn a_login_expires_after_ten_minutes() {
    let (service, provider) = trusting().await;
    let (mut browser, callback) = begun(&service, &provider).await;
    service.issuer().clock().advance(seconds(600));
    assert_no_login(&browser.get(&callback).await);
    assert!(browser.cookies().is_empty());
}

#[actix_web::test]
async fn a_damaged_cookie_counts_as_none_and_is_cleared() {
    let (service, provider) = trusting().await;
    let (browser, callback) = begun(&service, &provider).await;
    let value = browser.cookie("countersign_login");
    let client = service.anonymous();
    for cookie in [
        format!("countersign_login={value}; countersign_login={value}"),
        format!("countersign_login={}", &value[..value.len() - 4]),
        format!("countersign_login={}", "A".repeat(6000)),
        "countersign_login=".to_owned(),
        format!("__Host-countersign-login={value}"),
    ] {
        let response = client.with("cookie", &cookie).get(&callback).await;
        assert_no_login(&response);
        assert!(
            response.header("set-cookie").starts_with("countersign_login=;"),
            "{}",
            response.header("set-cookie")
        );
    }
}

#[actix_web::test]
async fn an_answer_for_another_provider_is_refused() {
    let issuer = Issuer::new(NAME);
    let (one, other) = (
        FakeProvider::start(issuer.clock().clone()),
        FakeProvider::start(issuer.clock().clone()),
    );
    let service = service_knowing(issuer, &[("SSO", &one), ("OTHER", &other)], &[]).await;
    let (mut browser, callback) = begun(&service, &one).await;
    assert_no_login(&browser.get(&callback.replace("/auth/sso/", "/auth/other/")).await);

    // RFC 9207: the answer names the provider that it is from.
    let (mut browser, callback) = begun(&service, &one).await;
    let mixed_up = format!("{callback}&iss={}", other.issuer);
    browser
        .get(&mixed_up)
        .await
        .assert_problem(400, "provider_refused");
    let (mut browser, callback) = begun(&service, &one).await;
    browser
        .get(&format!("{callback}&iss={}", one.issuer))
        .await
        .assert_status(200);
}

#[actix_web::test]
async fn a_provider_that_names_itself_must_do_so_each_time() {
    let (service, provider) = trusting().await;
    provider.set_faults(Faults {
        metadata: Some(json!({"authorization_response_iss_parameter_supported": true})),
        ..Faults::default()
    });
    let (mut browser, callback) = begun(&service, &provider).await;
    browser
        .get(&callback)
        .await
        .assert_problem(400, "provider_refused");
    let (mut browser, callback) = begun(&service, &provider).await;
    browser
        .get(&format!("{callback}&iss={}", provider.issuer))
        .await
        .assert_status(200);
}

#[actix_web::test]
async fn an_id_token_that_is_not_for_this_login_is_refused() {
    let (service, provider) = trusting().await;
    let with_claims = |claims: &Value| Faults {
        claims: claims.clone(),
        ..Faults::default()
    };
    for claims in [
        json!({"nonce": "another"}),
        json!({"nonce": null}),
        json!({"iss": "https://evil.example"}),
        json!({"iss": null}),
        json!({"aud": "another-shop"}),
        json!({"aud": null}),
        json!({"aud": [CLIENT_ID, "another-shop"]}),
        json!({"azp": "another-shop"}),
        json!({"exp": 1}),
        json!({"exp": null}),
        json!({"nbf": i64::from(u32::MAX)}),
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"sub": "a\u{0}b"}),
        json!({"sub": "x".repeat(256)}),
    ] {
        provider.set_faults(with_claims(&claims));
        let response = log_in(&service, &provider, &ada()).await;
        assert_eq!(response.status, 502, "{claims}: {}", response.body);
        response.assert_problem(502, "provider_error");
    }
    provider.set_faults(with_claims(
        &json!({"aud": [CLIENT_ID, "another-shop"], "azp": CLIENT_ID}),
    ));
    log_in(&service, &provider, &ada()).await.assert_status(200);
}

#[actix_web::test]
async fn a_signature_of_another_key_is_refused() {
    let (service, provider) = trusting().await;
    for forgery in [Forgery::StrangeKey, Forgery::ClientSecret, Forgery::PublicKey] {
        provider.set_faults(Faults {
            forgery: Some(forgery),
            ..Faults::default()
        });
        let response = log_in(&service, &provider, &ada()).await;
        assert_eq!(response.status, 502, "{forgery:?}: {}", response.body);
    }
    // {"alg":"none"} and {"sub":"1"}.
    for forged in ["eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", "", "x", "a.b.c"] {
        provider.set_faults(Faults {
            id_token: Some(forged.to_owned()),
            ..Faults::default()
        });
        log_in(&service, &provider, &ada())
            .await
            .assert_problem(502, "provider_error");
    }
}

#[actix_web::test]
async fn the_userinfo_endpoint_must_answer_for_the_same_person() {
    let (service, provider) = trusting().await;
    provider.set_faults(Faults {
        uses_userinfo: true,
        userinfo_subject: Some("2".to_owned()),
        ..Faults::default()
    });
    log_in(&service, &provider, &ada())
        .await
        .assert_problem(502, "provider_error");
}

#[actix_web::test]
async fn a_refusal_of_the_provider_is_no_login() {
    let (service, provider) = trusting().await;
    let (mut browser, callback) = begun(&service, &provider).await;
    let state = callback.split_once("state=").unwrap().1;
    let refusal = format!("/auth/sso/callback?error=access_denied&state={state}");
    browser
        .get(&refusal)
        .await
        .assert_problem(400, "provider_refused");
    assert!(browser.cookies().is_empty());

    // A browser that shows pages goes back, and the page learns why.
    let mut browser = Browser::of(&service).with("accept", "text/html,*/*;q=0.8");
    let location = begin(&mut browser, "/auth/sso?return_to=/start").await;
    let callback = provider.log_in(&location, &ada());
    let state = callback.split_once("state=").unwrap().1;
    let response = browser
        .get(&format!("/auth/sso/callback?error=access_denied&state={state}"))
        .await;
    response.assert_status(303);
    assert_eq!(
        response.header("location"),
        "http://localhost:8080/start?error=provider_refused"
    );
    assert!(browser.cookies().is_empty());
}

#[actix_web::test]
async fn a_browser_is_sent_only_to_allowed_pages() {
    let (service, provider) = super::with_vars(&[("CORS_ORIGINS", "https://app.example:8443")]).await;
    for refused in [
        "//evil.example",
        "/%5Cevil.example",
        "https://evil.example/",
        "http://localhost:8081/",
        "https://localhost:8080/",
        "http://localhost:8080@evil.example/",
        "https://app.example/",
        "/%0d%0aset-cookie:%20a=b",
        "/%09/evil.example",
        "javascript:alert(1)",
        "",
    ] {
        let response = service
            .anonymous()
            .get(&format!("/auth/sso?return_to={refused}"))
            .await;
        response.assert_problem(400, "invalid_return_to");
    }
    let mut browser = Browser::of(&service);
    let location = begin(&mut browser, "/auth/sso?return_to=https://app.example:8443/home").await;
    let callback = provider.log_in(&location, &ada());
    let response = browser.get(&callback).await;
    assert_eq!(response.header("location"), "https://app.example:8443/home");
}
