//! Notices about passwords and logins.

use serde_json::json;
use test_kit::{Client, TestService};

use super::smtp_server::SmtpServer;
use super::{
    registered, service_with_mail, service_with_mail_and, subjects, verify, wait_until_sent, with_server,
};
use crate::{PASSWORD, logged_in, logged_in_ada, register, seconds, service_with, with_token};

const ADA: &str = "ada@example.com";
const NEW: &str = "another horse battery";
const NEW_LOGIN: &str = "New login to your account";
const PASSWORD_CHANGED: &str = "Your password was changed";
const HOSTILE: &str = "\"><a href=\"http://evil.example\">www.evil.example</a>";

async fn change_password(ada: &Client, from: &str, to: &str) {
    let body = json!({"current_password": from, "new_password": to});
    ada.with("user-agent", "Shop/1.0 (Test)")
        .put("/auth/password", body)
        .await
        .assert_status(204);
}

#[actix_web::test]
async fn a_changed_password_is_reported_with_time_address_and_device() {
    let (service, smtp) = service_with_mail().await;
    let verification = registered(&service, &smtp, ADA).await;
    verify(&service, &verification).await.assert_status(204);
    let ada = with_token(&service, &logged_in(&service, ADA).await);
    change_password(&ada, PASSWORD, NEW).await;
    let mail = smtp.mail_to(ADA, PASSWORD_CHANGED).await;
    let time = service.issuer().clock().now().format("%-d %B %Y, %H:%M UTC");
    for part in [time.to_string().as_str(), "127.0.0.1", "Shop/1.0 (Test)"] {
        assert!(
            mail.text().contains(part) && mail.html().contains(part),
            "{part}: {}",
            mail.raw
        );
    }
}

#[actix_web::test]
async fn a_notice_to_an_address_that_is_not_verified_shows_no_device() {
    let (service, smtp) = service_with_mail().await;
    let (_, ada) = logged_in_ada(&service).await;
    change_password(&ada, PASSWORD, NEW).await;
    let mail = smtp.mail_to(ADA, PASSWORD_CHANGED).await;
    assert!(mail.text().contains("127.0.0.1"), "{}", mail.raw);
    for part in ["Device", "Shop/1.0", "unknown"] {
        assert!(!mail.raw.contains(part), "{part}: {}", mail.raw);
    }
}

#[actix_web::test]
async fn a_user_gets_at_most_five_notices_of_a_kind_within_an_hour() {
    let mut smtp = SmtpServer::reserve();
    let url = smtp.url();
    let service = service_with(&with_server(&url, &[("TRUSTED_PROXIES", "127.0.0.1")])).await;
    register(&service, ADA).await;
    let login = async |n: i32| {
        let client = service
            .anonymous()
            .with("x-forwarded-for", &format!("192.0.2.{n}"));
        let body = json!({"email": ADA, "password": PASSWORD});
        client.post("/auth/login", body).await.assert_status(200);
    };
    // All wait, so that the worker sends several at the same time.
    for n in 0..9 {
        login(n).await;
    }
    smtp.listen();
    wait_until_sent(&service).await;
    assert_eq!(smtp.mails_to(ADA, NEW_LOGIN).len(), 5);

    // Another kind has its own limit.
    let ada = with_token(&service, &logged_in(&service, ADA).await);
    change_password(&ada, PASSWORD, NEW).await;
    smtp.mail_to(ADA, PASSWORD_CHANGED).await;
    change_password(&ada, NEW, PASSWORD).await;
    service.issuer().clock().advance(seconds(3_600));
    login(10).await;
    smtp.nth_mail_to(ADA, NEW_LOGIN, 6).await;
}

async fn login_from(service: &TestService, address: &str) {
    let client = service.anonymous().with("x-forwarded-for", address);
    let body = json!({"email": ADA, "password": PASSWORD});
    client.post("/auth/login", body).await.assert_status(200);
    wait_until_sent(service).await;
}

#[actix_web::test]
async fn a_login_from_a_new_network_is_reported_except_the_first_login() {
    let (service, smtp) = service_with_mail_and(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    register(&service, ADA).await;
    for (address, notices) in [
        ("192.0.2.1", 0),
        ("192.0.2.1", 0),
        ("192.0.2.2", 1),
        ("192.0.2.2", 1),
        ("2001:db8::1", 2),
        ("2001:db8::2", 2),
    ] {
        login_from(&service, address).await;
        assert_eq!(smtp.mails_to(ADA, NEW_LOGIN).len(), notices, "{address}");
    }
    assert!(smtp.mails_to(ADA, NEW_LOGIN)[0].text().contains("192.0.2.2"));
}

#[actix_web::test]
async fn concurrent_logins_from_a_new_network_are_reported_once() {
    let (service, smtp) = service_with_mail_and(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    register(&service, ADA).await;
    login_from(&service, "192.0.2.1").await;
    futures_util::future::join_all((0..5).map(|_| login_from(&service, "192.0.2.2"))).await;
    assert_eq!(smtp.mails_to(ADA, NEW_LOGIN).len(), 1);
}

#[actix_web::test]
async fn a_login_is_reported_if_all_networks_were_forgotten() {
    let (service, smtp) = service_with_mail().await;
    register(&service, ADA).await;
    crate::database::execute(&service, "delete from login_networks").await;
    service.issuer().clock().advance(seconds(181 * 24 * 3_600));
    logged_in(&service, ADA).await;
    smtp.mail_to(ADA, NEW_LOGIN).await;
}

#[actix_web::test]
async fn a_hostile_name_and_a_hostile_user_agent_become_no_part_of_a_mail() {
    let (service, smtp) = service_with_mail_and(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let body = json!({"email": ADA, "password": PASSWORD, "name": HOSTILE});
    let hostile = service.anonymous().with("user-agent", HOSTILE);
    hostile.post("/auth/register", body).await.assert_status(201);
    // Otherwise no notice would have a user agent.
    let verification = smtp.mail_to(ADA, "Verify your email address").await.token();
    verify(&service, &verification).await.assert_status(204);
    for address in ["192.0.2.1", "192.0.2.2"] {
        let body = json!({"email": ADA, "password": PASSWORD});
        let client = hostile.with("x-forwarded-for", address);
        client.post("/auth/login", body).await.assert_status(200);
    }
    hostile
        .post("/auth/password/forgot", json!({"email": ADA}))
        .await
        .assert_status(202);
    let pair = logged_in(&service, ADA).await;
    let ada = with_token(&service, &pair).with("user-agent", HOSTILE);
    let body = json!({"current_password": PASSWORD, "new_password": "another horse battery"});
    ada.put("/auth/password", body).await.assert_status(204);
    wait_until_sent(&service).await;

    let mails = smtp.mails();
    let expected = [
        NEW_LOGIN,
        NEW_LOGIN,
        "Reset your password",
        "Verify your email address",
        PASSWORD_CHANGED,
    ];
    assert_eq!(subjects(&mails), expected);
    assert!(smtp.mails_to(ADA, NEW_LOGIN)[0].text().contains("Device: "));
    for mail in mails {
        assert!(mail.raw.is_ascii());
        for part in ["evil.example", "http://evil", "<a href=\"http://evil"] {
            assert!(!mail.raw.contains(part), "{part}: {}", mail.raw);
        }
        assert!(!mail.header("Subject").contains("evil") && !mail.header("To").contains("evil"));
    }
}
