//! Several replicas, and replicas that crash.

use std::time::Duration;

use test_kit::TestService;

use super::smtp_server::{Fault, SmtpServer};
use super::{eventually, service_with_mail, wait_until_sent, with_server};
use crate::{register, replica, restart, seconds, service_with};

const ADA: &str = "ada@example.com";
const SUBJECT: &str = "Verify your email address";

#[actix_web::test]
async fn two_replicas_send_each_mail_once() {
    let mut smtp = SmtpServer::reserve();
    let url = smtp.url();
    let vars = with_server(&url, &[]);
    let first = service_with(&vars).await;
    // A waiting mail for each replica to take, as soon as the server listens.
    for n in 0..20 {
        register(&first, &format!("user{n}@example.com")).await;
    }
    let second = replica(&first, &vars);
    smtp.set_fault(Fault::Slow(Duration::from_millis(1)));
    smtp.listen();
    wait_until_sent(&second).await;
    let mut recipients: Vec<_> = smtp.mails().into_iter().map(|mail| mail.to).collect();
    recipients.sort_unstable();
    let mut expected: Vec<_> = (0..20).map(|n| format!("user{n}@example.com")).collect();
    expected.sort_unstable();
    assert_eq!(recipients, expected);
}

#[actix_web::test]
async fn a_mail_is_sent_by_another_replica_if_its_replica_crashes() {
    let (service, smtp) = service_with_mail().await;
    smtp.set_fault(Fault::HangAt(ADA));
    register(&service, ADA).await;
    smtp.wait_until(|smtp| smtp.attempts(ADA) == 1).await;
    let url = smtp.url();
    let service = restart(service, &with_server(&url, &[])).await;
    smtp.set_fault(Fault::None);

    // The mail is leased to the crashed replica, so it does not go out twice.
    register(&service, "bob@example.com").await;
    smtp.mail_to("bob@example.com", SUBJECT).await;
    assert_eq!(smtp.attempts(ADA), 1);
    service.issuer().clock().advance(seconds(721));
    let token = smtp.mail_to(ADA, SUBJECT).await.token();
    super::verify(&service, &token).await.assert_status(204);
}

#[actix_web::test]
async fn a_mail_that_is_being_sent_when_its_replica_stops_is_recorded_as_sent() {
    let (service, smtp) = service_with_mail().await;
    smtp.set_fault(Fault::Slow(Duration::from_millis(200)));
    register(&service, ADA).await;
    smtp.wait_until(|smtp| smtp.attempts(ADA) == 1).await;
    let url = smtp.url();
    let service = restart(service, &with_server(&url, &[])).await;
    wait_until_sent(&service).await;
    assert_eq!(smtp.mails().len(), 1);
}

#[actix_web::test]
async fn a_mail_whose_server_does_not_answer_is_free_when_its_replica_stops() {
    let (service, smtp) = service_with_mail().await;
    smtp.set_fault(Fault::HangAtGreeting);
    register(&service, ADA).await;
    eventually("the mail is leased", async || smtp.connections() == 1).await;
    let url = smtp.url();
    let service = restart(service, &with_server(&url, &[])).await;
    smtp.set_fault(Fault::None);
    smtp.mail_to(ADA, SUBJECT).await;
    wait_until_sent(&service).await;
}

#[actix_web::test]
async fn a_mail_that_is_sent_twice_has_the_same_message_id() {
    let (service, smtp) = service_with_mail().await;
    register(&service, ADA).await;
    let first = smtp.mail_to(ADA, SUBJECT).await;
    wait_until_sent(&service).await;
    // As if the replica had crashed before it recorded that the mail was sent.
    crate::database::execute(&service, "update outbox set sent_at = null").await;
    let second = smtp.nth_mail_to(ADA, SUBJECT, 2).await;
    assert_eq!(first.header("Message-ID"), second.header("Message-ID"));
    assert_ne!(first.token(), second.token());
}

#[actix_web::test]
async fn mails_that_wait_survive_a_restart() {
    let mut smtp = SmtpServer::reserve();
    let url = smtp.url();
    let service: TestService = service_with(&with_server(&url, &[])).await;
    for n in 0..5 {
        register(&service, &format!("user{n}@example.com")).await;
    }
    let service = restart(service, &with_server(&url, &[])).await;
    smtp.listen();
    service.issuer().clock().advance(seconds(721));
    for n in 0..5 {
        smtp.mail_to(&format!("user{n}@example.com"), SUBJECT).await;
    }
}
