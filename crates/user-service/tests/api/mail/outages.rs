//! Mail servers that are down, hang or disconnect.

use std::time::{Duration, Instant};

use test_kit::TestService;

use super::smtp_server::{Fault, SmtpServer};
use super::{
    DEADLINE, eventually, forgot, service_with_mail, wait_until_postponed, wait_until_sent, with_server,
};
use crate::database::{execute, number};
use crate::{config, register, run, run_config, seconds, service_with};

const ADA: &str = "ada@example.com";
const BOB: &str = "bob@example.com";
const SUBJECT: &str = "Verify your email address";
const RESET: &str = "Reset your password";

/// Starts the service with a mail server, for which it does not wait long.
async fn impatient_service(smtp: &SmtpServer, connect: Duration, send: Duration) -> TestService {
    let mut config = config(&with_server(&smtp.url(), &[]));
    config.mail.connect_timeout = connect;
    config.mail.send_timeout = send;
    TestService::spawn(auth::testing::Issuer::new(user_service::NAME), run_config(config)).await
}

#[actix_web::test]
async fn mails_wait_for_a_server_that_is_down_at_start() {
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
    let token = smtp.mail_to(ADA, RESET).await.token();
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
async fn six_interruptions_lose_no_mail_and_no_link() {
    let (service, smtp) = service_with_mail().await;
    register(&service, ADA).await;
    let earlier = super::reset_token(&service, &smtp, ADA).await;
    wait_until_sent(&service).await;
    smtp.set_fault(Fault::AcceptAndDisconnect(ADA));
    forgot(&service, ADA).await.assert_status(202);
    for n in 1..=6 {
        smtp.nth_mail_to(ADA, RESET, n + 1).await;
        wait_until_postponed(&service, i64::try_from(n).unwrap()).await;
        // A mail that arrives ends the outage.
        let other = format!("user{n}@example.com");
        register(&service, &other).await;
        smtp.mail_to(&other, SUBJECT).await;
        wait_until_postponed(&service, i64::try_from(n).unwrap()).await;
        execute(
            &service,
            "update outbox set next_attempt_at = created_at where sent_at is null",
        )
        .await;
    }
    smtp.set_fault(Fault::None);
    wait_until_sent(&service).await;
    let mails = smtp.mails_to(ADA, RESET);
    let valid = "select count(*) from mail_tokens where purpose = 'reset_password'";
    assert_eq!(number(&service, valid).await, i64::try_from(mails.len()).unwrap());
    let first_attempt = mails[1].token();
    super::reset(&service, &first_attempt, "another horse battery")
        .await
        .assert_status(204);
    // A new password ends the other links.
    super::reset(&service, &earlier, "yet another horse battery")
        .await
        .assert_problem(400, "invalid_link");
}

#[actix_web::test]
async fn no_request_waits_for_a_server_that_hangs() {
    let smtp = SmtpServer::start();
    let service = impatient_service(&smtp, Duration::from_secs(60), DEADLINE).await;
    smtp.set_fault(Fault::HangAtGreeting);
    for n in 0..3 {
        let email = format!("user{n}@example.com");
        let started = Instant::now();
        register(&service, &email).await;
        forgot(&service, &email).await.assert_status(202);
        assert!(started.elapsed() < Duration::from_secs(5));
        eventually("the server hangs", async || smtp.connections() >= 1).await;
    }
    assert_eq!(smtp.mails().len(), 0);
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
    register(&service, ADA).await;
    eventually("the server is tried again", async || smtp.connections() >= 2).await;
    smtp.set_fault(Fault::None);
    smtp.mail_to(ADA, SUBJECT).await;
    wait_until_sent(&service).await;
    assert_eq!(number(&service, "select attempts from outbox").await, 0);
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
