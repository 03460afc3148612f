//! What the platform does not start with.

use std::net::TcpListener;

use crate::made_up;
use crate::place::Place;
use crate::platform::Platform;

/// Requires that it ends by itself, with this code and these words, leaving nothing behind.
async fn assert_refused(mut platform: Platform, code: i32, words: &[&str]) {
    let status = platform.end().await;
    let log = platform.log.text();
    assert_eq!(status.code(), Some(code), "{status}\n{log}");
    for words in words {
        assert!(log.contains(words), "{words:?} is missing:\n{log}");
    }
    assert_eq!(platform.output.text(), "");
}

#[tokio::test]
async fn one_directory_has_one_stack() {
    let (place, other) = (Place::new().await, Place::new().await);
    let first = place.platform().await;
    let data = place.data("");
    let second = other.start(&[("DATA_DIR", data.to_str().unwrap())]);
    assert_refused(
        second,
        1,
        &[
            "another stack is running with",
            data.to_str().unwrap().trim_end_matches('/'),
        ],
    )
    .await;

    let pair = first.ada().await;
    first
        .seller(&pair)
        .post("/products", crate::shop::lamp())
        .await
        .assert_status(201);
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    for service in crate::place::SERVICES {
        let place = Place::new().await;
        let port = crate::place::port(place.port_base, service);
        let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
        assert_refused(
            place.start(&[]),
            1,
            &[&format!("port {port} for {service}: "), "PORT_BASE"],
        )
        .await;
    }
}

#[tokio::test]
async fn what_is_wrong_with_its_own_configuration_is_told_together_before_anything_is_made() {
    let place = Place::new().await;
    let wrong = [("PORT_BASE", "x"), ("PUBLIC_URL", "shop"), ("LOG_FORMAT", "loud")];
    let words = wrong.map(|(name, _)| format!("\n{name} must be "));
    assert_refused(place.start(&wrong), 78, &words.each_ref().map(String::as_str)).await;
    assert!(!place.data("").exists());
}

#[tokio::test]
async fn what_is_wrong_with_a_services_configuration_stops_them_all() {
    for (name, value) in [
        ("ACCESS_TOKEN_TTL", "soon"),
        ("HASH_SLOTS", "0"),
        ("PRODUCT_SERVICE_DATABASE_URL", "mysql://localhost/shop"),
        ("ORDER_SERVICE_SECRET", "hunter2"),
    ] {
        let place = Place::new().await;
        let service = if name.starts_with("PRODUCT") {
            "product-service"
        } else {
            "user-service"
        };
        let named = name.trim_start_matches("PRODUCT_SERVICE_");
        let words = [
            &format!("\n{named} must "),
            &format!("stack: {service} did not start"),
        ];
        assert_refused(place.start(&[(name, value)]), 78, &words.map(String::as_str)).await;
    }
}

#[tokio::test]
async fn a_secret_that_was_given_and_cant_be_read_is_not_replaced_by_another() {
    let twice = made_up();
    for variables in [
        vec![("KEY_ENCRYPTION_KEY_FILE", "nowhere")],
        vec![("USER_SERVICE_KEY_ENCRYPTION_KEY_FILE", "nowhere")],
        vec![
            ("KEY_ENCRYPTION_KEY", &twice),
            ("KEY_ENCRYPTION_KEY_FILE", "nowhere"),
        ],
        vec![("ADMIN_PASSWORD_FILE", "nowhere")],
        vec![("ORDER_SERVICE_SECRET_FILE", "nowhere")],
        vec![("USER_SERVICE_ORDER_SERVICE_SECRET_FILE", "nowhere")],
        vec![
            ("ORDER_SERVICE_SECRET", &twice),
            ("ORDER_SERVICE_SECRET_FILE", "nowhere"),
        ],
    ] {
        let place = Place::new().await;
        let (name, _) = variables[0];
        assert_refused(place.start(&variables), 78, &[&format!("\n{name} ")]).await;
        assert!(
            !place.data("").exists(),
            "something was made up in spite of {variables:?}"
        );
    }
}

#[tokio::test]
async fn half_an_admin_is_refused() {
    let place = Place::new().await;
    let words = ["ADMIN_PASSWORD is missing", "user-service did not start"];
    assert_refused(place.start(&[("ADMIN_EMAIL", "root@example.com")]), 78, &words).await;
    assert!(!place.data("admin-password").exists());
}
