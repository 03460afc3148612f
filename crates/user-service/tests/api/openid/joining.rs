//! Which user an account of a provider belongs to.

use serde_json::json;

use super::{
    Browser, FakeProvider, begin, log_in, person, restart_with, service_knowing, trusting, with_vars,
};
use crate::database::number;
use crate::mail::{SmtpServer, registered, reset, reset_token, verify};
use crate::{ADMIN, PASSWORD, logged_in, login, refresh, register, with_token};
use auth::testing::Issuer;
use test_kit::TestService;
use user_service::NAME;

async fn identities(service: &TestService, pair: &serde_json::Value) -> usize {
    let listed = with_token(service, pair).get("/users/me/identities").await.json();
    listed["items"].as_array().unwrap().len()
}

/// Ada, whose address is verified because she came with it first.
async fn verified_ada(service: &TestService, provider: &FakeProvider) -> serde_json::Value {
    log_in(service, provider, &person("1", "ada@example.com"))
        .await
        .assert_status(200)
        .json()
}

#[actix_web::test]
async fn two_accounts_with_the_same_verified_address_are_one_user() {
    let (service, provider) = trusting().await;
    let ada = verified_ada(&service, &provider).await;
    let other = log_in(&service, &provider, &person("2", "ADA@example.com"))
        .await
        .assert_status(200)
        .json();
    assert_eq!(other["user"]["id"], ada["user"]["id"]);
    assert_eq!(identities(&service, &other).await, 2);
    // The first session continues, and the user gets a mail.
    let reported = "select count(*) from outbox where kind = 'identity_linked'";
    assert_eq!(number(&service, reported).await, 1);
    with_token(&service, &ada)
        .get("/users/me")
        .await
        .assert_status(200);
}

#[actix_web::test]
async fn an_unverified_address_joins_no_user() {
    let (service, provider) = trusting().await;
    verified_ada(&service, &provider).await;
    register(&service, "bob@example.com").await;
    for verified in [json!(false), json!("false"), json!(null), json!("yes"), json!(1)] {
        for email in [
            "ada@example.com",
            "bob@example.com",
            "ADA@EXAMPLE.COM",
            "bob@example.com ",
        ] {
            let stranger = json!({"sub": "9", "email": email, "email_verified": verified});
            log_in(&service, &provider, &stranger)
                .await
                .assert_problem(409, "email_taken");
        }
    }
    let silent = json!({"sub": "9", "email": "ada@example.com"});
    log_in(&service, &provider, &silent)
        .await
        .assert_problem(409, "email_taken");
    assert_eq!(login(&service, "bob@example.com", PASSWORD).await.status, 200);
}

#[actix_web::test]
async fn an_account_of_a_provider_that_is_not_trusted_joins_no_user() {
    let (service, provider) = with_vars(&[]).await;
    register(&service, "bob@example.com").await;
    log_in(&service, &provider, &person("1", "bob@example.com"))
        .await
        .assert_problem(409, "email_taken");

    let ada = log_in(&service, &provider, &person("2", "ada@example.com"))
        .await
        .assert_status(200)
        .json();
    assert_eq!(ada["user"]["email_verified"], false);
    log_in(&service, &provider, &person("3", "ada@example.com"))
        .await
        .assert_problem(409, "email_taken");
}

#[actix_web::test]
async fn the_owner_of_an_address_reclaims_the_account_of_a_squatter() {
    let (service, provider) = trusting().await;
    // A squatter registers with Ada's address and logs in.
    register(&service, "ada@example.com").await;
    let squatter = logged_in(&service, "ada@example.com").await;

    let ada = log_in(&service, &provider, &person("1", "Ada@example.com"))
        .await
        .assert_status(200)
        .json();
    let user = &ada["user"];
    assert_eq!(user["id"], squatter["user"]["id"]);
    assert_eq!(
        (&user["email_verified"], &user["name"]),
        (&json!(true), &json!("Ada Lovelace"))
    );

    with_token(&service, &squatter)
        .get("/users/me")
        .await
        .assert_problem(401, "token_revoked");
    refresh(&service, &squatter["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
    login(&service, "ada@example.com", PASSWORD)
        .await
        .assert_problem(401, "invalid_credentials");
    with_token(&service, &ada)
        .get("/users/me")
        .await
        .assert_status(200);
    assert_eq!(identities(&service, &ada).await, 1);
}

#[actix_web::test]
async fn the_account_of_a_squatter_who_came_from_a_provider_is_reclaimed_too() {
    let (service, provider) = trusting().await;
    let unverified = json!({"sub": "9", "email": "ada@example.com", "email_verified": false, "name": "Eve"});
    let eve = log_in(&service, &provider, &unverified)
        .await
        .assert_status(200)
        .json();
    assert_eq!(eve["user"]["email_verified"], false);

    let ada = log_in(&service, &provider, &person("1", "ada@example.com"))
        .await
        .assert_status(200)
        .json();
    assert_eq!(ada["user"]["id"], eve["user"]["id"]);
    with_token(&service, &eve)
        .get("/users/me")
        .await
        .assert_problem(401, "token_revoked");
    // Her account of the provider no longer leads to Ada's user.
    log_in(&service, &provider, &unverified)
        .await
        .assert_problem(409, "email_taken");
}

#[actix_web::test]
async fn the_operator_reclaims_the_first_admins_address_from_a_squatter() {
    let (service, provider) = with_vars(&[("ADMIN_EMAIL", ""), ("ADMIN_PASSWORD", "")]).await;
    let squatter = json!({"sub": "9", "email": ADMIN.0, "email_verified": false});
    let eve = log_in(&service, &provider, &squatter)
        .await
        .assert_status(200)
        .json();

    let service = restart_with(service, &provider, &[]).await;
    let admin = login(&service, ADMIN.0, ADMIN.1).await.assert_status(200).json();
    assert_eq!(admin["user"]["id"], eve["user"]["id"]);
    log_in(&service, &provider, &squatter)
        .await
        .assert_problem(409, "email_taken");
}

#[actix_web::test]
async fn an_address_that_changes_at_the_provider_changes_no_user() {
    let (service, provider) = trusting().await;
    let ada = verified_ada(&service, &provider).await;
    let bob = log_in(&service, &provider, &person("2", "bob@example.com"))
        .await
        .json();

    // Bob's account of the provider now has Ada's address.
    let changed = log_in(&service, &provider, &person("2", "ada@example.com"))
        .await
        .assert_status(200)
        .json();
    assert_eq!(changed["user"], bob["user"]);
    assert_ne!(changed["user"]["id"], ada["user"]["id"]);
    let listed = with_token(&service, &bob)
        .get("/users/me/identities")
        .await
        .json();
    assert_eq!(listed["items"][0]["email"], "ada@example.com");
}

#[actix_web::test]
async fn a_subject_of_another_issuer_is_another_account() {
    let issuer = Issuer::new(NAME);
    let (one, other) = (
        FakeProvider::start(issuer.clock().clone()),
        FakeProvider::start(issuer.clock().clone()),
    );
    let service = service_knowing(issuer, &[("SSO", &one), ("OTHER", &other)], &[]).await;
    let ada = verified_ada(&service, &one).await;

    let mut browser = Browser::of(&service);
    let location = begin(&mut browser, "/auth/other").await;
    let callback = other.log_in(&location, &person("1", "eve@example.com"));
    let same_subject = browser.get(&callback).await.assert_status(200).json();
    assert_ne!(same_subject["user"]["id"], ada["user"]["id"]);
    let again = verified_ada(&service, &one).await;
    assert_eq!(again["user"]["id"], ada["user"]["id"]);
}

#[actix_web::test]
async fn an_address_is_verified_once_its_provider_is_trusted() {
    let (service, provider) = with_vars(&[]).await;
    let ada = verified_ada(&service, &provider).await;
    assert_eq!(ada["user"]["email_verified"], false);

    let service = restart_with(service, &provider, &[("OIDC_SSO_TRUST_EMAIL", "true")]).await;
    // Another address at the provider says nothing about Ada's.
    let moved = log_in(&service, &provider, &person("1", "ada@work.example")).await;
    assert_eq!(moved.json()["user"]["email_verified"], false);
    let again = verified_ada(&service, &provider).await;
    assert_eq!(
        (&again["user"]["id"], &again["user"]["email_verified"]),
        (&ada["user"]["id"], &json!(true))
    );
}

#[actix_web::test]
async fn links_that_a_squatter_requested_do_not_work_for_a_reclaimed_account() {
    let smtp = SmtpServer::start();
    let vars = [
        ("OIDC_SSO_TRUST_EMAIL", "true"),
        ("SMTP_URL", &smtp.url()),
        ("MAIL_FROM", "Shop <mail@shop.example>"),
    ];
    let (service, provider) = with_vars(&vars).await;
    let verification = registered(&service, &smtp, "ada@example.com").await;
    let reset_link = reset_token(&service, &smtp, "ada@example.com").await;
    verified_ada(&service, &provider).await;

    verify(&service, &verification)
        .await
        .assert_problem(400, "invalid_link");
    reset(&service, &reset_link, PASSWORD)
        .await
        .assert_problem(400, "invalid_link");
}

#[actix_web::test]
async fn look_alike_addresses_are_other_users() {
    let (service, provider) = trusting().await;
    let ada = verified_ada(&service, &provider).await;
    // Cyrillic and dotless letters look like Ada's.
    for (subject, email) in [
        ("2", "\u{430}da@example.com"),
        ("3", "ada@ex\u{430}mple.com"),
        ("4", "ada@examp\u{131}e.com"),
    ] {
        let other = log_in(&service, &provider, &person(subject, email)).await;
        let other = other.assert_status(200).json();
        assert_ne!(other["user"]["id"], ada["user"]["id"], "{email}");
    }
}

#[actix_web::test]
async fn another_form_of_the_same_address_joins_only_if_both_sides_verified_it() {
    let (service, provider) = trusting().await;
    let unicode = log_in(&service, &provider, &person("1", "ada@b\u{fc}cher.example"))
        .await
        .assert_status(200)
        .json();
    let ascii = json!({"sub": "2", "email": "ADA@xn--bcher-kva.example", "email_verified": false});
    log_in(&service, &provider, &ascii)
        .await
        .assert_problem(409, "email_taken");
    let verified = log_in(&service, &provider, &person("2", "ADA@xn--bcher-kva.example"))
        .await
        .assert_status(200)
        .json();
    assert_eq!(verified["user"]["id"], unicode["user"]["id"]);
}

#[actix_web::test]
async fn two_first_logins_at_once_make_one_user() {
    let (service, provider) = trusting().await;
    let ada = person("1", "ada@example.com");
    let (one, other) = tokio::join!(
        log_in(&service, &provider, &ada),
        log_in(&service, &provider, &ada)
    );
    let (one, other) = (one.assert_status(200).json(), other.assert_status(200).json());
    assert_eq!(one["user"]["id"], other["user"]["id"]);
    assert_eq!(identities(&service, &one).await, 1);
}

#[actix_web::test]
async fn a_refused_login_is_in_the_audit_log() {
    let (service, provider) = with_vars(&[]).await;
    let bob = register(&service, "bob@example.com").await;
    log_in(&service, &provider, &person("1", "bob@example.com"))
        .await
        .assert_problem(409, "email_taken");
    let admin = crate::logged_in_admin(&service).await;
    let path = format!(
        "/admin/audit-log?event=login&user_id={}",
        bob["id"].as_str().unwrap()
    );
    let log = admin.get(&path).await.json();
    let record = &log["items"][0];
    assert_eq!(
        (&record["outcome"], &record["detail"], &record["actor_id"]),
        (
            &json!("failure"),
            &json!("sso: the address is not verified by both sides"),
            &json!(null)
        )
    );
}
