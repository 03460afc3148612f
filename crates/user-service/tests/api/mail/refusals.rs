//! Mail servers that refuse a recipient, the sender or the login.

use serde_json::json;
use test_kit::TestService;

use super::smtp_server::{Fault, SmtpServer};
use super::{eventually, forgot, service_with_mail, wait_until_postponed, wait_until_sent, with_server};
use crate::database::{execute, number};
use crate::{logged_in, register, seconds, service_with, with_token};

const ADA: &str = "ada@example.com";
const BOB: &str = "bob@example.com";
const SUBJECT: &str = "Verify your email address";
const RESET: &str = "Reset your password";

async fn wait_until_given_up(service: &TestService) {
    eventually("the mail is given up", async || {
        number(service, "select count(*) from outbox").await == 0
    })
    .await;
}

#[actix_web::test]
async fn a_refused_recipient_delays_only_its_own_mail() {
    for reply in ["450 try later", "550 unknown recipient"] {
        let (service, smtp) = service_with_mail().await;
        smtp.set_fault(Fault::Refuse(ADA, reply));
        register(&service, ADA).await;
        smtp.wait_until(|smtp| smtp.attempts(ADA) == 1).await;
        for n in 0..8 {
            register(&service, &format!("user{n}@example.com")).await;
        }
        for n in 0..8 {
            smtp.mail_to(&format!("user{n}@example.com"), SUBJECT).await;
        }
        assert_eq!(smtp.attempts(ADA), 1, "{reply}");

        smtp.set_fault(Fault::None);
        service.issuer().clock().advance(seconds(61));
        smtp.mail_to(ADA, SUBJECT).await;
        assert_eq!(smtp.attempts(ADA), 2);
    }
}

#[actix_web::test]
async fn a_mail_that_is_refused_for_three_days_is_given_up() {
    let (service, smtp) = service_with_mail().await;
    smtp.set_fault(Fault::Refuse(ADA, "450 try later"));
    register(&service, ADA).await;
    wait_until_postponed(&service, 1).await;
    // A mail that is refused for now is tried any number of times.
    execute(&service, "update outbox set attempts = 30").await;
    service.issuer().clock().advance(seconds(3 * 24 * 3_600 - 1));
    wait_until_postponed(&service, 31).await;
    service.issuer().clock().advance(seconds(2 * 3_600));
    wait_until_given_up(&service).await;
    assert_eq!((smtp.attempts(ADA), smtp.mails().len()), (3, 0));
}

#[actix_web::test]
async fn a_mail_that_is_refused_permanently_is_given_up_after_seven_attempts() {
    let (service, smtp) = service_with_mail().await;
    smtp.set_fault(Fault::Refuse(ADA, "550 unknown recipient"));
    register(&service, ADA).await;
    wait_until_postponed(&service, 1).await;
    execute(&service, "update outbox set attempts = 5").await;
    service.issuer().clock().advance(seconds(60));
    wait_until_postponed(&service, 6).await;
    service.issuer().clock().advance(seconds(32 * 60));
    wait_until_given_up(&service).await;
    assert_eq!((smtp.attempts(ADA), smtp.mails().len()), (3, 0));
}

#[actix_web::test]
async fn a_server_that_ends_the_session_counts_as_an_outage_and_one_mail_does_not_block_others() {
    for reply in ["421 closing", "530 log in first"] {
        let (service, smtp) = service_with_mail().await;
        smtp.set_fault(Fault::Refuse(ADA, reply));
        register(&service, ADA).await;
        wait_until_postponed(&service, 0).await;
        register(&service, BOB).await;
        smtp.mail_to(BOB, SUBJECT).await;
        let tokens = "select count(*) from mail_tokens join users on users.id = user_id where email = 'ada@example.com'";
        assert_eq!(number(&service, tokens).await, 0, "{reply}");
        assert_eq!(smtp.attempts(ADA), 1, "{reply}");

        smtp.set_fault(Fault::None);
        service.issuer().clock().advance(seconds(60));
        smtp.mail_to(ADA, SUBJECT).await;
        wait_until_sent(&service).await;
        assert_eq!(number(&service, "select max(attempts) from outbox").await, 0);
    }
}

#[actix_web::test]
async fn a_refused_sender_counts_as_an_outage() {
    for reply in ["454 not now", "530 log in first", "550 unknown sender"] {
        let (service, smtp) = service_with_mail().await;
        smtp.set_fault(Fault::RefuseSender(reply));
        register(&service, ADA).await;
        eventually("the server is tried again", async || smtp.connections() >= 2).await;
        smtp.set_fault(Fault::None);
        smtp.mail_to(ADA, SUBJECT).await;
        wait_until_sent(&service).await;
        assert_eq!(
            number(&service, "select attempts from outbox").await,
            0,
            "{reply}"
        );
        assert_eq!(
            number(&service, "select count(*) from mail_tokens").await,
            1,
            "{reply}"
        );
    }
}

#[actix_web::test]
async fn a_refused_login_counts_as_an_outage() {
    let smtp = SmtpServer::start();
    let url = smtp.url().replace("smtp://", "smtp://shop:secret@");
    let service = service_with(&with_server(&url, &[])).await;
    smtp.set_fault(Fault::RefuseLogin);
    register(&service, ADA).await;
    eventually("the server is tried again", async || smtp.connections() >= 2).await;
    assert_eq!(number(&service, "select attempts from outbox").await, 0);
    smtp.set_fault(Fault::None);
    smtp.mail_to(ADA, SUBJECT).await;
}

#[actix_web::test]
async fn failed_attempts_do_not_displace_the_links_of_delivered_mails() {
    let (service, smtp) = service_with_mail().await;
    register(&service, ADA).await;
    let token = super::reset_token(&service, &smtp, ADA).await;
    wait_until_sent(&service).await;
    smtp.set_fault(Fault::Refuse(ADA, "550 unknown recipient"));
    let attempts = smtp.attempts(ADA);
    for n in 1..=6 {
        forgot(&service, ADA).await.assert_status(202);
        smtp.wait_until(|smtp| smtp.attempts(ADA) == attempts + n).await;
        wait_until_postponed(&service, 1).await;
        execute(&service, "delete from outbox where sent_at is null").await;
    }
    let valid = "select count(*) from mail_tokens where purpose = 'reset_password'";
    assert_eq!(number(&service, valid).await, 1);
    super::reset(&service, &token, "another horse battery")
        .await
        .assert_status(204);
}

#[actix_web::test]
async fn a_mail_that_is_requested_again_is_sent_within_a_minute() {
    let (service, smtp) = service_with_mail().await;
    register(&service, ADA).await;
    smtp.mail_to(ADA, SUBJECT).await;
    wait_until_sent(&service).await;
    let ada = with_token(&service, &logged_in(&service, ADA).await);
    let resend = async || {
        ada.post("/auth/email/resend", json!({})).await.assert_status(202);
    };
    let request_reset = async || {
        forgot(&service, ADA).await.assert_status(202);
    };
    let clock = service.issuer().clock();
    for (subject, number) in [(SUBJECT, 2), (RESET, 1)] {
        let request = async || {
            if subject == RESET {
                request_reset().await;
            } else {
                resend().await;
            }
        };
        smtp.set_fault(Fault::Refuse(ADA, "450 try later"));
        request().await;
        wait_until_postponed(&service, 1).await;
        // The next attempt is at least an hour away.
        execute(&service, "update outbox set attempts = 20 where sent_at is null").await;
        clock.advance(seconds(60));
        wait_until_postponed(&service, 21).await;
        smtp.set_fault(Fault::None);
        request().await;
        wait_until_postponed(&service, 0).await;
        let time = clock.now().format("%H:%M UTC").to_string();
        clock.advance(seconds(60));
        let mail = smtp.nth_mail_to(ADA, subject, number).await;
        assert!(
            subject == SUBJECT || mail.text().contains(&time),
            "{}",
            mail.text()
        );
        wait_until_sent(&service).await;
    }
}
