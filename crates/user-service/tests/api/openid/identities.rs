//! Linking, listing and unlinking accounts of providers.

use auth::testing::Issuer;
use serde_json::{Value, json};
use test_kit::{Client, TestResponse, TestService};
use user_service::NAME;

use super::{Browser, FakeProvider, log_in, person, restart_with, service_knowing, trusting};
use crate::database::{execute, number};
use crate::{logged_in_ada, refresh, with_token};

/// A browser of the user of this client.
fn browser_of(service: &TestService, pair: &Value) -> Browser {
    let token = pair["access_token"].as_str().unwrap();
    Browser::of(service).with("authorization", &format!("Bearer {token}"))
}

/// Ada, who has a password and has verified her address.
async fn verified_ada(service: &TestService) -> (Value, Client) {
    let ada = logged_in_ada(service).await;
    execute(
        service,
        "update users set email_verified = true where email = 'ada@example.com'",
    )
    .await;
    ada
}

/// Begins to link in this browser, and returns the page to which the provider sends it back.
async fn begin_link(browser: &mut Browser, provider: &FakeProvider, person: &Value) -> String {
    let started = browser
        .post("/users/me/identities", json!({"provider": "sso"}))
        .await;
    let url = started.assert_status(200).json()["url"]
        .as_str()
        .unwrap()
        .to_owned();
    provider.log_in(&url, person)
}

async fn link(browser: &mut Browser, provider: &FakeProvider, person: &Value) -> TestResponse {
    let callback = begin_link(browser, provider, person).await;
    browser.get(&callback).await
}

async fn listed(client: &Client) -> Vec<Value> {
    let response = client.get("/users/me/identities").await;
    response.assert_status(200).json()["items"]
        .as_array()
        .unwrap()
        .clone()
}

#[actix_web::test]
async fn a_user_links_an_account_and_logs_in_with_it() {
    let (service, provider) = trusting().await;
    let (pair, ada) = verified_ada(&service).await;
    assert!(listed(&ada).await.is_empty());

    // The address may be another one.
    let at_work = person("1", "ada@work.example");
    let mut browser = browser_of(&service, &pair);
    let identity = link(&mut browser, &provider, &at_work).await;
    identity.assert(200, json!({"provider": "sso", "email": "ada@work.example"}));
    assert!(browser.cookies().is_empty(), "{:?}", browser.cookies());
    assert_eq!(listed(&ada).await, [identity.json()]);
    let reported = "select count(*) from outbox where kind = 'identity_linked'";
    assert_eq!(number(&service, reported).await, 1);

    let login = log_in(&service, &provider, &at_work)
        .await
        .assert_status(200)
        .json();
    assert_eq!(login["user"]["id"], pair["user"]["id"]);
}

#[actix_web::test]
async fn a_browser_returns_to_the_page_where_it_began_to_link() {
    let (service, provider) = trusting().await;
    let (pair, ada) = verified_ada(&service).await;
    let mut browser = browser_of(&service, &pair);
    let body = json!({"provider": "sso", "return_to": "/settings"});
    let started = browser
        .post("/users/me/identities", body)
        .await
        .assert_status(200)
        .json();
    let callback = provider.log_in(started["url"].as_str().unwrap(), &person("1", "ada@work.example"));
    let response = browser.get(&callback).await;
    response.assert_status(303);
    assert_eq!(response.header("location"), "http://localhost:8080/settings");
    assert_eq!(listed(&ada).await.len(), 1);
}

#[actix_web::test]
async fn linking_again_changes_nothing() {
    let (service, provider) = trusting().await;
    let (pair, ada) = verified_ada(&service).await;
    let mut browser = browser_of(&service, &pair);
    let first = link(&mut browser, &provider, &person("1", "a@work.example"))
        .await
        .assert_status(200)
        .json();
    let second = link(&mut browser, &provider, &person("1", "a@work.example"))
        .await
        .assert_status(200)
        .json();
    assert_eq!(first["id"], second["id"]);
    assert_eq!(listed(&ada).await.len(), 1);
}

#[actix_web::test]
async fn an_account_of_another_user_cannot_be_linked() {
    let (service, provider) = trusting().await;
    log_in(&service, &provider, &person("1", "bob@example.com"))
        .await
        .assert_status(200);
    let (pair, ada) = verified_ada(&service).await;
    let response = link(
        &mut browser_of(&service, &pair),
        &provider,
        &person("1", "bob@example.com"),
    )
    .await;
    response.assert_problem(409, "identity_taken");
    assert!(listed(&ada).await.is_empty());
}

#[actix_web::test]
async fn a_user_with_an_unverified_address_can_link_nothing() {
    let (service, provider) = trusting().await;
    let (pair, ada) = logged_in_ada(&service).await;
    let body = json!({"provider": "sso"});
    ada.post("/users/me/identities", body)
        .await
        .assert_problem(409, "email_not_verified");

    // Nor if the address is no longer verified when the browser returns.
    execute(&service, "update users set email_verified = true").await;
    let mut browser = browser_of(&service, &pair);
    let callback = begin_link(&mut browser, &provider, &person("1", "ada@work.example")).await;
    execute(&service, "update users set email_verified = false").await;
    browser
        .get(&callback)
        .await
        .assert_problem(409, "email_not_verified");
}

#[actix_web::test]
async fn linking_ends_with_the_session() {
    let (service, provider) = trusting().await;
    let (pair, ada) = verified_ada(&service).await;
    let mut browser = browser_of(&service, &pair);
    let callback = begin_link(&mut browser, &provider, &person("1", "ada@work.example")).await;
    ada.post("/auth/logout-all", json!({})).await.assert_status(204);
    browser
        .get(&callback)
        .await
        .assert_problem(400, "provider_login_expired");
}

#[actix_web::test]
async fn a_link_works_only_in_the_browser_that_began_it() {
    let (service, provider) = trusting().await;
    let (pair, ada) = verified_ada(&service).await;
    let callback = begin_link(
        &mut browser_of(&service, &pair),
        &provider,
        &person("1", "eve@example.com"),
    )
    .await;
    let response = browser_of(&service, &pair).get(&callback).await;
    response.assert_problem(400, "provider_login_expired");
    assert!(listed(&ada).await.is_empty());
}

#[actix_web::test]
async fn a_page_of_another_site_begins_no_link() {
    let (service, _provider) = trusting().await;
    let (_, ada) = verified_ada(&service).await;
    // With a bearer token and no cookie, but the response would set one.
    let response = ada
        .with("origin", "https://evil.example")
        .post("/users/me/identities", json!({"provider": "sso"}))
        .await;
    response.assert_problem(403, "cross_site");
    assert!(!response.headers.contains_key("set-cookie"));
}

#[actix_web::test]
async fn an_invalid_request_to_link_is_refused() {
    let (service, _provider) = trusting().await;
    let (_, ada) = verified_ada(&service).await;
    ada.post("/users/me/identities", json!({"provider": "google"}))
        .await
        .assert_invalid("provider");
    let elsewhere = json!({"provider": "sso", "return_to": "//evil.example"});
    ada.post("/users/me/identities", elsewhere)
        .await
        .assert_problem(400, "invalid_return_to");
    service
        .anonymous()
        .post("/users/me/identities", json!({"provider": "sso"}))
        .await
        .assert_problem(401, "no_token");
}

#[actix_web::test]
async fn an_account_is_unlinked_unless_it_is_the_last_login_method() {
    let (service, provider) = trusting().await;
    let ada_at_sso = person("1", "ada@example.com");
    let pair = log_in(&service, &provider, &ada_at_sso).await.json();
    let ada = with_token(&service, &pair);
    let first = listed(&ada).await.remove(0);
    let path = |identity: &Value| format!("/users/me/identities/{}", identity["id"].as_str().unwrap());

    ada.delete(&path(&first))
        .await
        .assert_problem(409, "last_login_method");
    assert_eq!(listed(&ada).await.len(), 1);

    let second = link(
        &mut browser_of(&service, &pair),
        &provider,
        &person("2", "ada@work.example"),
    )
    .await
    .json();
    ada.delete(&path(&first)).await.assert_status(204);
    assert_eq!(listed(&ada).await, std::slice::from_ref(&second));
    ada.delete(&path(&first))
        .await
        .assert_problem(404, "identity_not_found");
    ada.delete(&path(&second))
        .await
        .assert_problem(409, "last_login_method");
    // The session continues. The account has Ada's verified address, so it is linked again when it is used.
    ada.get("/users/me").await.assert_status(200);
    let again = log_in(&service, &provider, &ada_at_sso).await.json();
    assert_eq!(again["user"]["id"], pair["user"]["id"]);
    assert_eq!(listed(&ada).await.len(), 2);
}

#[actix_web::test]
async fn unlinking_an_account_ends_the_sessions_that_it_opened() {
    let (service, provider) = trusting().await;
    let (pair, ada) = verified_ada(&service).await;
    let at_work = person("1", "ada@work.example");
    let identity = link(&mut browser_of(&service, &pair), &provider, &at_work)
        .await
        .json();
    let attacker = log_in(&service, &provider, &at_work).await.json();

    let path = format!("/users/me/identities/{}", identity["id"].as_str().unwrap());
    ada.delete(&path).await.assert_status(204);
    with_token(&service, &attacker)
        .get("/users/me")
        .await
        .assert_problem(401, "token_revoked");
    refresh(&service, &attacker["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
    ada.get("/users/me").await.assert_status(200);
    let stranger = log_in(&service, &provider, &at_work).await.json();
    assert_ne!(stranger["user"]["id"], pair["user"]["id"]);
}

#[actix_web::test]
async fn an_account_of_a_removed_provider_is_no_login_method() {
    let issuer = Issuer::new(NAME);
    let (sso, removed) = (
        FakeProvider::start(issuer.clock().clone()),
        FakeProvider::start(issuer.clock().clone()),
    );
    let vars = [("OIDC_SSO_TRUST_EMAIL", "true")];
    let service = service_knowing(issuer, &[("SSO", &sso), ("REMOVED", &removed)], &vars).await;
    let pair = log_in(&service, &sso, &person("1", "ada@example.com"))
        .await
        .json();
    let mut browser = browser_of(&service, &pair);
    let body = json!({"provider": "removed"});
    let started = browser.post("/users/me/identities", body).await.json();
    let callback = removed.log_in(started["url"].as_str().unwrap(), &person("2", "ada@example.com"));
    browser.get(&callback).await.assert_status(200);

    let service = restart_with(service, &sso, &vars).await;
    let ada = with_token(&service, &pair);
    let of_sso = listed(&ada)
        .await
        .into_iter()
        .find(|identity| identity["provider"] == "sso")
        .unwrap();
    ada.delete(&format!(
        "/users/me/identities/{}",
        of_sso["id"].as_str().unwrap()
    ))
    .await
    .assert_problem(409, "last_login_method");
}

#[actix_web::test]
async fn a_refused_link_is_in_the_audit_log() {
    let (service, provider) = trusting().await;
    let bob = person("1", "bob@example.com");
    log_in(&service, &provider, &bob).await.assert_status(200);
    let (pair, _) = verified_ada(&service).await;
    link(&mut browser_of(&service, &pair), &provider, &bob)
        .await
        .assert_problem(409, "identity_taken");
    let admin = crate::logged_in_admin(&service).await;
    let log = admin.get("/admin/audit-log?event=identity_linked").await.json();
    let record = &log["items"][0];
    assert_eq!(
        (&record["outcome"], &record["detail"]),
        (&json!("failure"), &json!("sso: linked to another user"))
    );
}

#[actix_web::test]
async fn a_user_with_a_password_may_unlink_every_account() {
    let (service, provider) = trusting().await;
    let (pair, ada) = verified_ada(&service).await;
    let identity = link(
        &mut browser_of(&service, &pair),
        &provider,
        &person("1", "ada@work.example"),
    )
    .await
    .json();
    let path = format!("/users/me/identities/{}", identity["id"].as_str().unwrap());

    let (_, bob) = {
        crate::register(&service, "bob@example.com").await;
        let pair = crate::logged_in(&service, "bob@example.com").await;
        let client = with_token(&service, &pair);
        (pair, client)
    };
    bob.delete(&path).await.assert_problem(404, "identity_not_found");
    ada.delete(&path).await.assert_status(204);
    assert!(listed(&ada).await.is_empty());
}

#[actix_web::test]
async fn of_two_simultaneous_requests_one_keeps_a_login_method() {
    let (service, provider) = trusting().await;
    let pair = log_in(&service, &provider, &person("1", "ada@example.com"))
        .await
        .json();
    let ada = with_token(&service, &pair);
    link(
        &mut browser_of(&service, &pair),
        &provider,
        &person("2", "ada@work.example"),
    )
    .await
    .assert_status(200);
    let identities = listed(&ada).await;
    let paths: Vec<_> = identities
        .iter()
        .map(|identity| format!("/users/me/identities/{}", identity["id"].as_str().unwrap()))
        .collect();
    let (one, other) = tokio::join!(ada.delete(&paths[0]), ada.delete(&paths[1]));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409]);
    assert_eq!(listed(&ada).await.len(), 1);
}

#[actix_web::test]
async fn identities_end_with_their_user() {
    let (service, provider) = trusting().await;
    let ada = person("1", "ada@example.com");
    let pair = log_in(&service, &provider, &ada).await.json();
    let admin = crate::logged_in_admin(&service).await;
    admin
        .delete(&format!("/admin/users/{}", pair["user"]["id"].as_str().unwrap()))
        .await
        .assert_status(204);
    let again = log_in(&service, &provider, &ada).await.assert_status(200).json();
    assert_ne!(again["user"]["id"], pair["user"]["id"]);
}
