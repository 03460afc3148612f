//! Resetting a password.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::smtp_server::Fault;
use super::{
    eventually, forgot, id, registered, reset, reset_token, service_with_mail, service_with_mail_and,
    subjects, verify, wait_until_sent,
};
use crate::database::{execute, number};
use crate::{
    PASSWORD, logged_in, logged_in_ada, logged_in_admin, login, refresh, register, seconds, with_token,
};

const ADA: &str = "ada@example.com";
const NEW: &str = "another horse battery";

#[actix_web::test]
async fn a_reset_sets_the_password_ends_all_sessions_and_works_once() {
    let (service, smtp) = service_with_mail().await;
    let (pair, ada) = logged_in_ada(&service).await;
    let user_agent = service.anonymous().with("user-agent", "Shop/1.0");
    user_agent
        .post("/auth/password/forgot", json!({"email": " ADA@example.com"}))
        .await
        .assert_status(202);
    let mail = smtp.mail_to(ADA, "Reset your password").await;
    let link = mail.link();
    assert!(
        link.starts_with("http://localhost:8080/auth/password/reset#token="),
        "{link}"
    );
    assert!(
        mail.text().contains("127.0.0.1") && !mail.text().contains("Shop/1.0"),
        "{}",
        mail.text()
    );

    reset(&service, &mail.token(), NEW).await.assert_status(204);
    reset(&service, &mail.token(), NEW)
        .await
        .assert_problem(400, "invalid_link");
    ada.get("/users/me").await.assert_problem(401, "token_revoked");
    refresh(&service, &pair["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
    login(&service, ADA, PASSWORD)
        .await
        .assert_problem(401, "invalid_credentials");
    let pair = login(&service, ADA, NEW).await.assert_status(200).json();
    // Reading the mail has proved that the address is Ada's.
    assert_eq!(pair["user"]["email_verified"], true);
    let notice = smtp.mail_to(ADA, "Your password was changed").await;
    assert!(notice.text().contains("127.0.0.1"), "{}", notice.text());
}

#[actix_web::test]
async fn a_reset_by_a_user_with_a_verified_address_ends_sessions_and_links_and_keeps_the_networks() {
    let (service, smtp) = service_with_mail().await;
    let verification = registered(&service, &smtp, ADA).await;
    verify(&service, &verification).await.assert_status(204);
    let pair = logged_in(&service, ADA).await;
    let older = reset_token(&service, &smtp, ADA).await;
    let token = reset_token(&service, &smtp, ADA).await;
    reset(&service, &token, NEW).await.assert_status(204);
    with_token(&service, &pair)
        .get("/users/me")
        .await
        .assert_problem(401, "token_revoked");
    refresh(&service, &pair["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
    for token in [&older, &token] {
        reset(&service, token, PASSWORD)
            .await
            .assert_problem(400, "invalid_link");
    }
    login(&service, ADA, PASSWORD)
        .await
        .assert_problem(401, "invalid_credentials");
    login(&service, ADA, NEW).await.assert_status(200);

    // Nothing was taken over: the network is still known, and only the reset is recorded.
    wait_until_sent(&service).await;
    assert_eq!(smtp.mails_to(ADA, "New login to your account").len(), 0);
    assert_eq!(number(&service, "select count(*) from login_networks").await, 1);
    let admin = logged_in_admin(&service).await;
    for (event, count) in [
        ("password_reset", 1),
        ("email_verified", 1),
        ("account_reclaimed", 0),
    ] {
        let log = admin.get(&format!("/admin/audit-log?event={event}")).await.json();
        assert_eq!(log["items"].as_array().unwrap().len(), count, "{log}");
    }
}

#[actix_web::test]
async fn a_reset_that_was_requested_before_a_new_password_and_not_sent_is_not_sent() {
    let (service, smtp) = service_with_mail().await;
    let (_, ada) = logged_in_ada(&service).await;
    let token = reset_token(&service, &smtp, ADA).await;
    wait_until_sent(&service).await;
    let waits = "select count(*) from outbox where sent_at is null and lease is null";
    let request = async || {
        smtp.set_fault(Fault::Refuse(ADA, "450 try later"));
        let attempts = smtp.attempts(ADA);
        forgot(&service, ADA).await.assert_status(202);
        smtp.wait_until(|smtp| smtp.attempts(ADA) > attempts).await;
        eventually("the mail waits", async || number(&service, waits).await == 1).await;
        smtp.set_fault(Fault::None);
    };
    request().await;
    let body = json!({"current_password": PASSWORD, "new_password": NEW});
    ada.put("/auth/password", body).await.assert_status(204);
    wait_until_sent(&service).await;
    assert_eq!(smtp.mails_to(ADA, "Reset your password").len(), 1);
    reset(&service, &token, PASSWORD)
        .await
        .assert_problem(400, "invalid_link");

    let token = reset_token(&service, &smtp, ADA).await;
    request().await;
    reset(&service, &token, PASSWORD).await.assert_status(204);
    wait_until_sent(&service).await;
    assert_eq!(smtp.mails_to(ADA, "Reset your password").len(), 2);
}

#[actix_web::test]
async fn a_reset_is_in_the_audit_log() {
    let (service, smtp) = service_with_mail().await;
    let user = register(&service, ADA).await;
    let token = reset_token(&service, &smtp, ADA).await;
    reset(&service, &token, NEW).await.assert_status(204);
    let admin = logged_in_admin(&service).await;
    let path = format!("/admin/audit-log?user_id={}", id(&user));
    let log = admin.get(&path).await.json();
    let events: Vec<_> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["event"].as_str().unwrap())
        .collect();
    assert_eq!(
        events,
        [
            "password_reset",
            "account_reclaimed",
            "email_verified",
            "registered"
        ]
    );
}

#[actix_web::test]
async fn one_of_two_concurrent_resets_with_one_link_succeeds() {
    let (service, smtp) = service_with_mail().await;
    register(&service, ADA).await;
    let token = reset_token(&service, &smtp, ADA).await;
    let passwords = ["a password of mine", "another one of mine"];
    let responses = join_all(passwords.map(|new| reset(&service, &token, new))).await;
    let mut statuses: Vec<_> = responses.iter().map(|response| response.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 400]);
    for (response, password) in responses.iter().zip(passwords) {
        let expected = if response.status == 204 { 200 } else { 401 };
        login(&service, ADA, password).await.assert_status(expected);
    }
}

#[actix_web::test]
async fn a_password_that_is_not_allowed_does_not_spend_the_link() {
    let (service, smtp) = service_with_mail().await;
    register(&service, ADA).await;
    let token = reset_token(&service, &smtp, ADA).await;
    for new in ["", "short", "password1", "Ada@example.com", &"x".repeat(129)] {
        reset(&service, &token, new).await.assert_invalid("new_password");
    }
    reset(&service, &token, NEW).await.assert_status(204);
}

#[actix_web::test]
async fn a_link_resets_the_password_for_30_minutes() {
    let (service, smtp) = service_with_mail().await;
    register(&service, ADA).await;
    register(&service, "bob@example.com").await;
    let ada = reset_token(&service, &smtp, ADA).await;
    let bob = reset_token(&service, &smtp, "bob@example.com").await;
    service.issuer().clock().advance(seconds(1_799));
    reset(&service, &ada, NEW).await.assert_status(204);
    service.issuer().clock().advance(seconds(1));
    reset(&service, &bob, NEW)
        .await
        .assert_problem(400, "invalid_link");
}

#[actix_web::test]
async fn a_new_password_makes_earlier_links_invalid() {
    let (service, smtp) = service_with_mail().await;
    let (_, ada) = logged_in_ada(&service).await;
    let first = reset_token(&service, &smtp, ADA).await;
    let second = reset_token(&service, &smtp, ADA).await;
    let body = json!({"current_password": PASSWORD, "new_password": NEW});
    ada.put("/auth/password", body).await.assert_status(204);
    for token in [&first, &second] {
        reset(&service, token, PASSWORD)
            .await
            .assert_problem(400, "invalid_link");
    }

    let first = reset_token(&service, &smtp, ADA).await;
    let second = reset_token(&service, &smtp, ADA).await;
    reset(&service, &second, PASSWORD).await.assert_status(204);
    reset(&service, &first, NEW)
        .await
        .assert_problem(400, "invalid_link");
}

#[actix_web::test]
async fn a_request_for_any_address_gets_the_same_response_and_only_enabled_users_get_a_mail() {
    let (service, smtp) = service_with_mail().await;
    let bob = register(&service, "bob@example.com").await;
    register(&service, ADA).await;
    let path = format!("/admin/users/{}", id(&bob));
    logged_in_admin(&service)
        .await
        .patch(&path, json!({"disabled": true}))
        .await
        .assert_status(200);

    let long = format!("{}@example.com", "a".repeat(300));
    let addresses = [
        ADA,
        "bob@example.com",
        "unknown@example.com",
        "",
        "not an address",
        "a\0@b",
        &long,
    ];
    for address in addresses {
        let response = forgot(&service, address).await;
        response.assert_status(202);
        assert_eq!(response.body, "", "{address}");
    }
    for invalid in [
        json!({}),
        json!({"email": 1}),
        json!({"email": null}),
        json!({"email": ADA, "role": "admin"}),
    ] {
        service
            .anonymous()
            .post("/auth/password/forgot", invalid)
            .await
            .assert_problem(422, "invalid_body");
    }
    wait_until_sent(&service).await;
    let resets: Vec<_> = smtp
        .mails()
        .into_iter()
        .filter(|mail| mail.subject() == "Reset your password")
        .map(|mail| mail.to)
        .collect();
    assert_eq!(resets, [ADA]);
    let typed = number(&service, "select count(*) from outbox where address is not null").await;
    assert_eq!(typed, 0, "no typed address remains");
}

#[actix_web::test]
async fn a_user_without_a_password_can_set_one() {
    let (service, smtp) = service_with_mail().await;
    register(&service, ADA).await;
    execute(
        &service,
        "update users set password_hash = null where email = 'ada@example.com'",
    )
    .await;
    login(&service, ADA, PASSWORD)
        .await
        .assert_problem(401, "invalid_credentials");
    let token = reset_token(&service, &smtp, ADA).await;
    reset(&service, &token, NEW).await.assert_status(204);
    login(&service, ADA, NEW).await.assert_status(200);
}

#[actix_web::test]
async fn a_busy_service_does_not_spend_the_link() {
    let vars = [("HASH_SLOTS", "1"), ("HASH_QUEUE", "0")];
    let slow = [("ARGON2_MEMORY_KIB", "19456"), ("ARGON2_PASSES", "4")];
    let (service, smtp) = service_with_mail_and(&[vars, slow].concat()).await;
    let emails: Vec<_> = (0..4).map(|n| format!("user{n}@example.com")).collect();
    let mut tokens = Vec::new();
    for email in &emails {
        register(&service, email).await;
        tokens.push(reset_token(&service, &smtp, email).await);
    }
    let responses = join_all(tokens.iter().map(|token| reset(&service, token, NEW))).await;
    let busy = responses.iter().filter(|response| response.status != 204);
    assert!(busy.clone().count() > 0, "no two resets were concurrent");
    for response in busy {
        response.assert_problem(503, "hashing_busy");
    }
    for (response, token) in responses.iter().zip(&tokens) {
        let expected = if response.status == 204 { 400 } else { 204 };
        reset(&service, token, NEW).await.assert_status(expected);
    }
}

#[actix_web::test]
async fn accounts_that_share_an_address_each_get_their_own_link() {
    let (service, smtp) = service_with_mail().await;
    register(&service, "a@bücher.example").await;
    register(&service, "b@example.com").await;
    // As before addresses were compared by their IDNA form.
    for statement in [
        "update users set email_key = 'a@bücher.example' where email = 'a@bücher.example'",
        "update users set email = 'a@xn--bcher-kva.example', email_key = 'a@xn--bcher-kva.example',
            comparison_key = 'a@xn--bcher-kva.example' where email = 'b@example.com'",
    ] {
        execute(&service, statement).await;
    }
    wait_until_sent(&service).await;
    let user = async |address: &str| {
        let sent = smtp.mails().len();
        forgot(&service, address).await.assert_status(202);
        smtp.wait_until(|smtp| smtp.mails().len() > sent).await;
        let token = smtp.mails()[sent].token();
        reset(&service, &token, NEW).await.assert_status(204);
        let pair: Value = login(&service, address, NEW).await.assert_status(200).json();
        wait_until_sent(&service).await;
        pair["user"]["email"].as_str().unwrap().to_owned()
    };
    assert_eq!(user("a@bücher.example").await, "a@bücher.example");
    assert_eq!(user("a@xn--bcher-kva.example").await, "a@xn--bcher-kva.example");
}

#[actix_web::test]
async fn a_squatter_keeps_nothing_when_the_owner_of_the_address_resets_the_password() {
    let (service, smtp) = service_with_mail().await;
    let verification = registered(&service, &smtp, ADA).await;
    let squatter = with_token(&service, &logged_in(&service, ADA).await);
    let token = reset_token(&service, &smtp, ADA).await;
    reset(&service, &token, NEW).await.assert_status(204);
    squatter
        .get("/users/me")
        .await
        .assert_problem(401, "token_revoked");
    login(&service, ADA, PASSWORD)
        .await
        .assert_problem(401, "invalid_credentials");
    super::verify(&service, &verification)
        .await
        .assert_problem(400, "invalid_link");
    wait_until_sent(&service).await;
    assert_eq!(
        subjects(&smtp.mails()),
        [
            "Reset your password",
            "Verify your email address",
            "Your password was changed"
        ]
    );
}
