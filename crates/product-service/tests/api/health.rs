//! `product-service healthy`: the subcommand that asks a running service whether it is ready.
#![expect(clippy::unwrap_used, reason = "a test panics when its setup fails")]

use std::net::TcpListener;
use std::process::{Command, Output};

use auth::testing::Issuer;
use product_service::{Config, NAME, startup};
use service_kit::{Env, Settings};
use test_kit::{TestRuntime, TestService};

use crate::shop;

#[actix_web::test]
async fn a_ready_service_is_reported_as_healthy() {
    let shop = shop().await;
    let asked = healthy(shop.address().port()).await;
    assert!(asked.status.success(), "{asked:?}");
}

#[actix_web::test]
async fn the_reason_why_a_service_is_not_ready_is_reported() {
    let closed_port = closed_port();
    let without_keys = TestService::spawn(
        Issuer::new(NAME),
        move |TestRuntime { database, runtime }| async move {
            let mut env = Env::from_vars(
                NAME,
                [(
                    "USER_SERVICE_URL",
                    format!("http://127.0.0.1:{closed_port}").as_str(),
                )],
            );
            let auth = Settings::read(&mut env, NAME).auth;
            startup::run(Config { database, auth }, runtime).await
        },
    );
    let asked = healthy(without_keys.await.address().port()).await;
    assert_eq!(asked.status.code(), Some(1), "{asked:?}");
    assert!(
        String::from_utf8_lossy(&asked.stderr).contains("signing keys, revocations"),
        "{asked:?}"
    );
}

#[actix_web::test]
async fn a_service_that_does_not_answer_is_reported() {
    let asked = healthy(closed_port()).await;
    assert_eq!(asked.status.code(), Some(1), "{asked:?}");
    assert!(
        String::from_utf8_lossy(&asked.stderr).contains("does not answer"),
        "{asked:?}"
    );
}

/// A port on which no program listens.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

async fn healthy(port: u16) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_product-service"));
    command
        .arg("healthy")
        .env("BIND", "0.0.0.0")
        .env("PORT", port.to_string());
    actix_web::web::block(move || command.output())
        .await
        .unwrap()
        .unwrap()
}
