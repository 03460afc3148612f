//! Mails: links, notices, and mail servers that fail.

mod files;
mod notices;
mod outages;
mod pages;
mod parts;
mod refusals;
mod replicas;
mod reset;
mod smtp_server;
mod verification;

use std::time::Duration;

use serde_json::{Value, json};
use test_kit::{TestResponse, TestService};
use tokio::time::{sleep, timeout};

use self::parts::Mail;
pub use self::smtp_server::SmtpServer;
use crate::database::number;
use crate::{register, service_with};

const DEADLINE: Duration = Duration::from_secs(20);

/// Starts the service with a mail server.
async fn service_with_mail() -> (TestService, SmtpServer) {
    service_with_mail_and(&[]).await
}

async fn service_with_mail_and(vars: &[(&str, &str)]) -> (TestService, SmtpServer) {
    let smtp = SmtpServer::start();
    let service = service_with(&with_server(&smtp.url(), vars)).await;
    (service, smtp)
}

/// These variables, and those of this mail server.
fn with_server<'v>(url: &'v str, vars: &[(&'v str, &'v str)]) -> Vec<(&'v str, &'v str)> {
    let own = [("SMTP_URL", url), ("MAIL_FROM", "Shop <mail@shop.example>")];
    own.into_iter().chain(vars.iter().copied()).collect()
}

/// Registers a user, and returns the token of the mail that verifies the address.
pub async fn registered(service: &TestService, smtp: &SmtpServer, email: &str) -> String {
    register(service, email).await;
    smtp.mail_to(email, "Verify your email address").await.token()
}

async fn forgot(service: &TestService, email: &str) -> TestResponse {
    service
        .anonymous()
        .post("/auth/password/forgot", json!({"email": email}))
        .await
}

/// Requests a password reset, and returns the token of the mail.
pub async fn reset_token(service: &TestService, smtp: &SmtpServer, email: &str) -> String {
    let before = smtp.mails_to(email, "Reset your password").len();
    forgot(service, email).await.assert_status(202);
    let mails = smtp.nth_mail_to(email, "Reset your password", before + 1).await;
    mails.token()
}

pub async fn reset(service: &TestService, token: &str, new_password: &str) -> TestResponse {
    let body = json!({"token": token, "new_password": new_password});
    service.anonymous().post("/auth/password/reset", body).await
}

pub async fn verify(service: &TestService, token: &str) -> TestResponse {
    service
        .anonymous()
        .post("/auth/email/verify", json!({"token": token}))
        .await
}

/// Waits until no mail waits in the outbox.
async fn wait_until_sent(service: &TestService) {
    eventually("all mails are sent", async || {
        number(service, "select count(*) from outbox where sent_at is null").await == 0
    })
    .await;
}

/// Waits until one mail is postponed after this number of failed attempts.
async fn wait_until_postponed(service: &TestService, attempts: i64) {
    let postponed = format!(
        "select count(*) from outbox where sent_at is null and lease is null and attempts = {attempts}"
    );
    eventually("the mail is postponed", async || {
        number(service, &postponed).await == 1
    })
    .await;
}

async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let wait = async {
        while !condition().await {
            sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(DEADLINE, wait).await.is_ok(), "not in time: {what}");
}

/// The id of a user in a response.
fn id(user: &Value) -> &str {
    user["id"].as_str().unwrap()
}

/// The subjects of mails, sorted.
fn subjects(mails: &[Mail]) -> Vec<String> {
    let mut subjects: Vec<_> = mails.iter().map(Mail::subject).collect();
    subjects.sort_unstable();
    subjects
}
