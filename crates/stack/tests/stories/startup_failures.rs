//! Problems that keep the platform from starting.

use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::platform::Platform;
use crate::random_secret;
use crate::sandbox::{STACK, Sandbox, ports, services};

/// Checks that the platform exits by itself, with this code and these messages, and leaves no process.
async fn assert_refused(mut platform: Platform, code: i32, messages: &[&str]) {
    let status = platform.end().await;
    let log = platform.log.text();
    assert_eq!(status.code(), Some(code), "{status}\n{log}");
    for message in messages {
        assert!(log.contains(message), "{message:?} is missing:\n{log}");
    }
    assert_eq!(platform.output.text(), "");
}

#[tokio::test]
async fn a_data_directory_in_use_is_refused() {
    let (sandbox, other) = (Sandbox::new().await, Sandbox::new().await);
    let first = sandbox.platform().await;
    let data = sandbox.data("");
    let second = other.start(&[("DATA_DIR", data.to_str().unwrap())]);
    assert_refused(
        second,
        1,
        &[
            "another stack already uses",
            data.to_str().unwrap().trim_end_matches('/'),
        ],
    )
    .await;

    let pair = first.register_ada().await;
    first
        .seller(&pair)
        .post("/products", crate::shop::lamp())
        .await
        .assert_status(201);
}

#[tokio::test]
async fn a_port_in_use_is_reported() {
    for service in services() {
        let sandbox = Sandbox::new().await;
        for port in ports(sandbox.port_base, service) {
            let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
            let message = format!("{service} can't listen on 127.0.0.1:{port}: ");
            assert_refused(sandbox.start(&[]), 1, &[&message, "PORT_BASE"]).await;
        }
    }
}

#[tokio::test]
async fn stack_reports_all_its_configuration_problems_before_it_creates_files() {
    let sandbox = Sandbox::new().await;
    let invalid = [("PORT_BASE", "x"), ("PUBLIC_URL", "shop"), ("LOG_FORMAT", "loud")];
    let messages = invalid.map(|(name, _)| format!("\n{name} must be "));
    assert_refused(
        sandbox.start(&invalid),
        78,
        &messages.each_ref().map(String::as_str),
    )
    .await;
    assert!(!sandbox.data("").exists());
}

#[tokio::test]
async fn an_invalid_configuration_of_one_service_stops_all() {
    for (name, value) in [
        ("ACCESS_TOKEN_TTL", "soon"),
        ("HASH_SLOTS", "0"),
        ("PRODUCT_SERVICE_DATABASE_URL", "mysql://localhost/shop"),
        ("ORDER_SERVICE_SECRET", "hunter2"),
    ] {
        let sandbox = Sandbox::new().await;
        let service = if name.starts_with("PRODUCT") {
            "product-service"
        } else {
            "user-service"
        };
        let messages = [
            &format!("\n{name} must "),
            &format!("stack: {service} did not start"),
        ];
        assert_refused(sandbox.start(&[(name, value)]), 78, &messages.map(String::as_str)).await;
    }
}

#[tokio::test]
async fn a_configured_secret_that_cannot_be_read_is_not_replaced() {
    let secret = random_secret();
    for variables in [
        vec![("KEY_ENCRYPTION_KEY_FILE", "nowhere")],
        vec![("USER_SERVICE_KEY_ENCRYPTION_KEY_FILE", "nowhere")],
        vec![
            ("KEY_ENCRYPTION_KEY", &secret),
            ("KEY_ENCRYPTION_KEY_FILE", "nowhere"),
        ],
        vec![("ADMIN_PASSWORD_FILE", "nowhere")],
        vec![("ORDER_SERVICE_SECRET_FILE", "nowhere")],
        vec![("USER_SERVICE_ORDER_SERVICE_SECRET_FILE", "nowhere")],
        vec![
            ("ORDER_SERVICE_SECRET", &secret),
            ("ORDER_SERVICE_SECRET_FILE", "nowhere"),
        ],
    ] {
        let sandbox = Sandbox::new().await;
        let (name, _) = variables[0];
        assert_refused(sandbox.start(&variables), 78, &[&format!("\n{name} ")]).await;
        assert!(
            !sandbox.data("").exists(),
            "a secret was generated with {variables:?}"
        );
    }
}

#[tokio::test]
async fn an_admin_without_a_password_is_refused() {
    let sandbox = Sandbox::new().await;
    let messages = ["ADMIN_PASSWORD is missing", "user-service did not start"];
    assert_refused(
        sandbox.start(&[("ADMIN_EMAIL", "root@example.com")]),
        78,
        &messages,
    )
    .await;
    assert!(!sandbox.data("admin-password").exists());
}

#[test]
fn stack_under_the_name_of_a_service_is_that_service() {
    let directory = tempfile::tempdir().unwrap();
    for service in services() {
        let program = directory.path().join(service);
        symlink(STACK, &program).unwrap();
        // With an invalid configuration the program names itself and exits.
        let output = Command::new(&program)
            .current_dir(directory.path())
            .env_clear()
            .env("PORT", "invalid")
            .output()
            .unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{message}");
        assert!(message.starts_with(&format!("{service}: ")), "{message}");
    }
}
