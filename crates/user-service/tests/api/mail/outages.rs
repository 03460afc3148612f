//! Mail servers that fail.

use std::time::{Duration, Instant};

use test_kit::TestService;

use super::smtp_server::{Fault, SmtpServer};
use super::{DEADLINE, eventually, forgot, service_with_mail, wait_until_sent, with_server};
use crate::database::number;
use crate::{config, register, run, run_config, seconds, service_with};

const ADA: &str = "ada@example.com";
const BOB: &str = "bob@example.com";
const SUBJECT: &str = "Verify your email address";

/// Starts the service with a mail server, for which it does not wait long.
async fn impatient_service(smtp: &SmtpServer, connect: Duration, send: Duration) -> TestService {
    let mut config = config(&with_server(&smtp.url(), &[]));
    config.mail.connect_timeout = connect;
    config.mail.send_timeout = send;
    TestService::spawn(auth::testing::Issuer::new(user_service::NAME), run_config(config)).await
}

#[actix_web::test]
async fn mails_wait_for_a_server_that_is_down_at_start_and_no_request_does() {
    let mut smtp = SmtpServer::reserve();
    let service = service_with(&with_server(&smtp.url(), &[])).await;
    register(&service, ADA).await;
    register(&service, BOB).await;
    forgot(&service, ADA).await.assert_status(202);
    // The lifetime of a link begins when its mail is sent. No service runs meanwhile, so no mail is just being sent.
    let issuer = service.issuer().clone();
    let database = service.stop().await;
    issuer.clock().advance(seconds(48 * 3_600));
    smtp.listen();
    let service = TestService::spawn_on(issuer, database, run(&with_server(&smtp.url(), &[])));
    let token = smtp.mail_to(ADA, SUBJECT).await.token();
    super::verify(&service, &token).await.assert_status(204);
    smtp.mail_to(BOB, SUBJECT).await;
    let token = smtp.mail_to(ADA, "Reset your password").await.token();
    super::reset(&service, &token, "another horse battery")
        .await
        .assert_status(204);
}

#[actix_web::test]
async fn a_server_that_dies_and_returns_gets_every_mail() {
    let (service, mut smtp) = service_with_mail().await;
    register(&service, "user0@example.com").await;
    smtp.mail_to("user0@example.com", SUBJECT).await;
    smtp.stop().await;
    for n in 1..4 {
        register(&service, &format!("user{n}@example.com")).await;
    }
    smtp.listen();
    for n in 1..4 {
        smtp.mail_to(&format!("user{n}@example.com"), SUBJECT).await;
    }
    wait_until_sent(&service).await;
    assert_eq!(smtp.mails().len(), 4);
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
    smtp.set_fault(Fault::Refuse(ADA, "550 unknown recipient"));
    register(&service, ADA).await;
    smtp.wait_until(|smtp| smtp.attempts(ADA) == 1).await;
    let postponed = "select count(*) from outbox where attempts = 1 and leased_until is null";
    eventually("the mail is postponed", async || {
        number(&service, postponed).await == 1
    })
    .await;
    service.issuer().clock().advance(seconds(3 * 24 * 3_600));
    eventually("the mail is given up", async || {
        number(&service, "select count(*) from outbox").await == 0
    })
    .await;
    assert_eq!((smtp.attempts(ADA), smtp.mails().len()), (2, 0));
}

#[actix_web::test]
async fn a_recipient_at_whom_the_server_hangs_or_disconnects_does_not_block_others() {
    for fault in [Fault::HangAt(ADA), Fault::DisconnectAt(ADA)] {
        let smtp = SmtpServer::start();
        let service = impatient_service(&smtp, DEADLINE, Duration::from_millis(500)).await;
        smtp.set_fault(fault);
        register(&service, ADA).await;
        register(&service, BOB).await;
        smtp.mail_to(BOB, SUBJECT).await;
        let postponed = "select count(*) from outbox where sent_at is null and attempts = 1";
        eventually("the mail is postponed", async || {
            number(&service, postponed).await >= 1
        })
        .await;
        smtp.set_fault(Fault::None);
        service.issuer().clock().advance(seconds(61));
        smtp.mail_to(ADA, SUBJECT).await;
    }
}

#[actix_web::test]
async fn a_server_that_does_not_greet_is_tried_again_without_counting_an_attempt() {
    let smtp = SmtpServer::start();
    let service = impatient_service(&smtp, Duration::from_millis(100), DEADLINE).await;
    smtp.set_fault(Fault::HangAtGreeting);
    let started = Instant::now();
    register(&service, ADA).await;
    assert!(started.elapsed() < Duration::from_secs(5));
    eventually("the server is tried again", async || smtp.connections() >= 2).await;
    smtp.set_fault(Fault::None);
    smtp.mail_to(ADA, SUBJECT).await;
    wait_until_sent(&service).await;
    assert_eq!(number(&service, "select attempts from outbox").await, 0);
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
        let postponed = "select count(*) from outbox where attempts = 1 and lease is null";
        eventually("the mail is postponed", async || {
            number(&service, postponed).await == 1
        })
        .await;
        crate::database::execute(&service, "delete from outbox where sent_at is null").await;
    }
    let valid = "select count(*) from mail_tokens where purpose = 'reset_password'";
    assert_eq!(number(&service, valid).await, 1);
    super::reset(&service, &token, "another horse battery")
        .await
        .assert_status(204);
}

#[actix_web::test]
async fn a_slow_server_gets_every_mail() {
    let (service, smtp) = service_with_mail().await;
    smtp.set_fault(Fault::Slow(Duration::from_millis(20)));
    for email in [ADA, BOB] {
        register(&service, email).await;
    }
    wait_until_sent(&service).await;
    assert_eq!(smtp.mails().len(), 2);
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
async fn a_flood_of_requested_resets_does_not_fill_the_outbox() {
    let smtp = SmtpServer::reserve();
    let service = service_with(&with_server(&smtp.url(), &[])).await;
    register(&service, ADA).await;
    for n in 0..50 {
        forgot(&service, ADA).await.assert_status(202);
        forgot(&service, &format!("unknown{n}@example.com"))
            .await
            .assert_status(202);
    }
    eventually("only one reset waits, beside the verification", async || {
        number(&service, "select count(*) from outbox").await == 2
    })
    .await;
}

#[actix_web::test]
async fn metrics_count_sent_failed_and_waiting_mails() {
    let mut smtp = SmtpServer::reserve();
    let service = service_with(&with_server(&smtp.url(), &[])).await;
    register(&service, ADA).await;
    let has = async |line: &str| {
        let metrics = service.anonymous().get("/metrics").await.body;
        metrics.lines().any(|other| other.starts_with(line))
    };
    eventually("a failed attempt is counted", async || {
        has("mails_failed_total{reason=\"unreachable\"}").await && has("mails_waiting").await
    })
    .await;
    smtp.listen();
    smtp.mail_to(ADA, SUBJECT).await;
    eventually("a sent mail is counted", async || {
        has("mails_sent_total{kind=\"verify_email\"}").await
    })
    .await;
}
