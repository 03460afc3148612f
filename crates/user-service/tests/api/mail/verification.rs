//! Verifying an email address.

use futures_util::future::join_all;
use serde_json::json;

use super::{id, registered, reset, reset_token, service_with_mail, subjects, verify, wait_until_sent};
use crate::database::number;
use crate::{ADMIN, PASSWORD, logged_in, logged_in_admin, register, seconds, with_token};

const ADA: &str = "ada@example.com";
const SUBJECT: &str = "Verify your email address";

#[actix_web::test]
async fn a_registration_sends_a_link_that_verifies_the_address_once() {
    let (service, smtp) = service_with_mail().await;
    let user = register(&service, ADA).await;
    assert_eq!(user["email_verified"], false);
    let mail = smtp.mail_to(ADA, SUBJECT).await;
    assert_eq!(mail.header("From"), "Shop <mail@shop.example>");
    assert_eq!(mail.header("To"), ADA);
    let link = mail.link();
    assert!(
        link.starts_with("http://localhost:8080/auth/email/verify#token="),
        "{link}"
    );
    assert!(
        mail.html().contains(&format!("href=\"{link}\"")),
        "{}",
        mail.html()
    );

    let pair = logged_in(&service, ADA).await;
    let ada = with_token(&service, &pair);
    verify(&service, &mail.token()).await.assert_status(204);
    ada.get("/users/me")
        .await
        .assert(200, json!({"email_verified": true}));
    verify(&service, &mail.token())
        .await
        .assert_problem(400, "invalid_link");

    let admin = logged_in_admin(&service).await;
    let path = format!("/admin/audit-log?event=email_verified&user_id={}", id(&user));
    let log = admin.get(&path).await.json();
    assert_eq!(log["items"].as_array().unwrap().len(), 1, "{log}");
}

#[actix_web::test]
async fn one_of_two_concurrent_verifications_with_one_link_succeeds() {
    let (service, smtp) = service_with_mail().await;
    let user = register(&service, ADA).await;
    let token = smtp.mail_to(ADA, SUBJECT).await.token();
    let responses = join_all([&token, &token].map(|token| verify(&service, token))).await;
    let mut statuses: Vec<_> = responses.iter().map(|response| response.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 400]);
    let admin = logged_in_admin(&service).await;
    let path = format!("/admin/audit-log?event=email_verified&user_id={}", id(&user));
    let log = admin.get(&path).await.json();
    assert_eq!(log["items"].as_array().unwrap().len(), 1, "{log}");
}

#[actix_web::test]
async fn a_link_verifies_the_address_for_24_hours() {
    let (service, smtp) = service_with_mail().await;
    let (ada, bob) = (
        registered(&service, &smtp, ADA).await,
        registered(&service, &smtp, "bob@example.com").await,
    );
    service.issuer().clock().advance(seconds(24 * 3_600 - 1));
    verify(&service, &ada).await.assert_status(204);
    service.issuer().clock().advance(seconds(1));
    verify(&service, &bob).await.assert_problem(400, "invalid_link");
}

#[actix_web::test]
async fn a_link_that_is_forged_or_for_another_purpose_is_refused() {
    let (service, smtp) = service_with_mail().await;
    let verification = registered(&service, &smtp, ADA).await;
    let resetting = reset_token(&service, &smtp, ADA).await;
    for token in [
        "",
        "x",
        &"A".repeat(43),
        &format!("{verification}="),
        &"A".repeat(10_000),
    ] {
        verify(&service, token).await.assert_problem(400, "invalid_link");
        reset(&service, token, PASSWORD)
            .await
            .assert_problem(400, "invalid_link");
    }
    verify(&service, &resetting)
        .await
        .assert_problem(400, "invalid_link");
    reset(&service, &verification, "another horse battery")
        .await
        .assert_problem(400, "invalid_link");

    // Neither was spent.
    verify(&service, &verification).await.assert_status(204);
    reset(&service, &resetting, "another horse battery")
        .await
        .assert_status(204);
}

#[actix_web::test]
async fn another_mail_is_sent_on_request_until_the_address_is_verified() {
    let (service, smtp) = service_with_mail().await;
    let first = registered(&service, &smtp, ADA).await;
    let ada = with_token(&service, &logged_in(&service, ADA).await);
    ada.post("/auth/email/resend", json!({})).await.assert_status(202);
    let second = smtp.nth_mail_to(ADA, SUBJECT, 2).await.token();
    assert_ne!(first, second);

    // Each link works until one was used.
    verify(&service, &first).await.assert_status(204);
    verify(&service, &second)
        .await
        .assert_problem(400, "invalid_link");
    ada.post("/auth/email/resend", json!({})).await.assert_status(202);
    wait_until_sent(&service).await;
    assert_eq!(smtp.mails().len(), 2);
    service
        .anonymous()
        .post("/auth/email/resend", json!({}))
        .await
        .assert_problem(401, "no_token");
}

#[actix_web::test]
async fn a_user_gets_at_most_five_links_of_a_kind_within_its_time() {
    let (service, smtp) = service_with_mail().await;
    registered(&service, &smtp, ADA).await;
    let resend = async || {
        let ada = with_token(&service, &logged_in(&service, ADA).await);
        ada.post("/auth/email/resend", json!({})).await.assert_status(202);
        wait_until_sent(&service).await;
    };
    for _ in 0..6 {
        resend().await;
    }
    assert_eq!(smtp.mails().len(), 5);
    // Another kind has its own limit.
    for _ in 0..6 {
        super::forgot(&service, ADA).await.assert_status(202);
        wait_until_sent(&service).await;
    }
    assert_eq!(smtp.mails_to(ADA, "Reset your password").len(), 5);

    // When the links of the resets no longer work, the user can request another one.
    service.issuer().clock().advance(seconds(1_801));
    super::forgot(&service, ADA).await.assert_status(202);
    wait_until_sent(&service).await;
    resend().await;
    assert_eq!(smtp.mails_to(ADA, "Reset your password").len(), 6);
    assert_eq!(smtp.mails_to(ADA, SUBJECT).len(), 5);
    service.issuer().clock().advance(seconds(1_800));
    resend().await;
    assert_eq!(smtp.mails_to(ADA, SUBJECT).len(), 6);

    // A newer link replaces the oldest one.
    let tokens: Vec<_> = smtp
        .mails_to(ADA, SUBJECT)
        .iter()
        .map(super::parts::Mail::token)
        .collect();
    verify(&service, &tokens[0])
        .await
        .assert_problem(400, "invalid_link");
    verify(&service, &tokens[1]).await.assert_status(204);
}

#[actix_web::test]
async fn a_link_of_a_deleted_or_disabled_user_is_refused() {
    let (service, smtp) = service_with_mail().await;
    let admin = logged_in_admin(&service).await;
    for (email, is_deleted) in [(ADA, true), ("bob@example.com", false)] {
        let user = register(&service, email).await;
        let verification = smtp.mail_to(email, SUBJECT).await.token();
        let resetting = reset_token(&service, &smtp, email).await;
        let path = format!("/admin/users/{}", id(&user));
        if is_deleted {
            admin.delete(&path).await.assert_status(204);
        } else {
            admin
                .patch(&path, json!({"disabled": true}))
                .await
                .assert_status(200);
        }
        verify(&service, &verification)
            .await
            .assert_problem(400, "invalid_link");
        reset(&service, &resetting, PASSWORD)
            .await
            .assert_problem(400, "invalid_link");
    }
    assert_eq!(
        number(&service, "select count(*) from mail_tokens").await,
        2,
        "only the disabled user's tokens remain"
    );
}

#[actix_web::test]
async fn the_first_admins_address_is_verified_without_a_mail() {
    let (service, smtp) = service_with_mail().await;
    let admin = logged_in_admin(&service).await;
    admin
        .get("/users/me")
        .await
        .assert(200, json!({"email": ADMIN.0, "email_verified": true}));
    admin
        .post("/auth/email/resend", json!({}))
        .await
        .assert_status(202);
    wait_until_sent(&service).await;
    assert_eq!(subjects(&smtp.mails()), Vec::<String>::new());
}
