//! The program, asked whether the service that runs is ready.
#![expect(clippy::unwrap_used, reason = "a test stops at what can't be")]

use std::net::TcpListener;
use std::process::{Command, Output};

use auth::testing::Issuer;
use product_service::{Config, NAME, startup};
use service_kit::{Env, Settings};
use test_kit::{TestRuntime, TestService};

use crate::shop;

#[actix_web::test]
async fn the_program_tells_that_the_service_is_ready() {
    let shop = shop().await;
    let asked = healthy(shop.address().port()).await;
    assert!(asked.status.success(), "{asked:?}");
}

#[actix_web::test]
async fn it_tells_what_a_service_lacks_that_is_not() {
    let nobody = nobody_listens();
    let without_keys = TestService::spawn(
        Issuer::new(NAME),
        move |TestRuntime { database, runtime }| async move {
            let mut env = Env::from_vars(
                NAME,
                [("USER_SERVICE_URL", format!("http://127.0.0.1:{nobody}").as_str())],
            );
            let auth = Settings::read(&mut env, NAME).auth;
            startup::run(Config { database, auth }, runtime).await
        },
    );
    let asked = healthy(without_keys.await.address().port()).await;
    assert_eq!(asked.status.code(), Some(1), "{asked:?}");
    assert!(
        String::from_utf8_lossy(&asked.stderr).contains("signing keys"),
        "{asked:?}"
    );
}

#[actix_web::test]
async fn it_tells_that_nobody_answers() {
    let asked = healthy(nobody_listens()).await;
    assert_eq!(asked.status.code(), Some(1), "{asked:?}");
    assert!(
        String::from_utf8_lossy(&asked.stderr).contains("does not answer"),
        "{asked:?}"
    );
}

fn nobody_listens() -> u16 {
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
