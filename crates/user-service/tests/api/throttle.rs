//! The login throttle.

use futures_util::future::join_all;
use serde_json::json;
use test_kit::{TestResponse, TestService};

use crate::database::number;
use crate::{PASSWORD, logged_in_ada, login, register, replica, restart, seconds, service_with};

const BEHIND_A_PROXY: (&str, &str) = ("TRUSTED_PROXIES", "127.0.0.1");

async fn login_from(service: &TestService, address: &str, email: &str, password: &str) -> TestResponse {
    let client = service.anonymous().with("x-forwarded-for", address);
    client
        .post("/auth/login", json!({"email": email, "password": password}))
        .await
}

async fn throttled_service(free: &str) -> TestService {
    let service = service_with(&[BEHIND_A_PROXY, ("LOGIN_FREE_FAILURES", free)]).await;
    register(&service, "ada@example.com").await;
    service
}

fn assert_throttled(response: &TestResponse, retry_after: &str) {
    response.assert_problem(429, "too_many_attempts");
    assert_eq!(response.header("retry-after"), retry_after);
}

#[actix_web::test]
async fn ten_failures_are_allowed_and_the_eleventh_attempt_is_refused() {
    let service = throttled_service("10").await;
    for email in ["ada@example.com", "unknown@example.com"] {
        for _ in 0..10 {
            login_from(&service, "203.0.113.7", email, "wrong")
                .await
                .assert_problem(401, "invalid_credentials");
        }
        assert_throttled(&login_from(&service, "203.0.113.7", email, "wrong").await, "90");
    }
    // The right password is refused too.
    assert_throttled(
        &login_from(&service, "203.0.113.7", "ada@example.com", PASSWORD).await,
        "90",
    );

    service.issuer().clock().advance(seconds(89));
    assert_throttled(
        &login_from(&service, "203.0.113.7", "ada@example.com", "wrong").await,
        "1",
    );
    service.issuer().clock().advance(seconds(1));
    login_from(&service, "203.0.113.7", "ada@example.com", "wrong")
        .await
        .assert_problem(401, "invalid_credentials");
    assert_throttled(
        &login_from(&service, "203.0.113.7", "ada@example.com", "wrong").await,
        "90",
    );
    // All failures have expired after 15 minutes.
    service.issuer().clock().advance(seconds(900));
    for _ in 0..10 {
        login_from(&service, "203.0.113.7", "ada@example.com", "wrong")
            .await
            .assert_problem(401, "invalid_credentials");
    }
    assert_throttled(
        &login_from(&service, "203.0.113.7", "ada@example.com", "wrong").await,
        "90",
    );
}

#[actix_web::test]
async fn fifty_concurrent_guesses_are_counted_exactly() {
    let service = throttled_service("10").await;
    for email in ["ada@example.com", "unknown@example.com"] {
        let responses = join_all((0..50).map(|_| login_from(&service, "203.0.113.7", email, "wrong"))).await;
        let refused = responses.iter().filter(|response| response.status == 429).count();
        let compared = responses.iter().filter(|response| response.status == 401).count();
        assert_eq!((compared, refused), (10, 40), "{email}");
    }
}

#[actix_web::test]
async fn failures_are_counted_per_account_and_network() {
    let service = throttled_service("2").await;
    for _ in 0..2 {
        login_from(&service, "203.0.113.7", "ADA@Example.com ", "wrong")
            .await
            .assert_problem(401, "invalid_credentials");
        login_from(&service, "2001:db8:0:1::1", "ada@example.com", "wrong")
            .await
            .assert_problem(401, "invalid_credentials");
    }
    assert_throttled(
        &login_from(&service, "203.0.113.7", "ada@example.com", "wrong").await,
        "450",
    );
    assert_throttled(
        &login_from(&service, "2001:db8:0:1:ffff::2", "ada@example.com", "wrong").await,
        "450",
    );
    // Another account, another IPv4 address and another /64 are counted separately.
    login_from(&service, "203.0.113.7", "bob@example.com", "wrong")
        .await
        .assert_problem(401, "invalid_credentials");
    login_from(&service, "203.0.113.8", "ada@example.com", "wrong")
        .await
        .assert_problem(401, "invalid_credentials");
    login_from(&service, "2001:db8:0:2::1", "ada@example.com", PASSWORD)
        .await
        .assert_status(200);
}

#[actix_web::test]
async fn a_distributed_guesser_is_throttled_and_the_owner_is_not_locked_out() {
    let service = throttled_service("2").await;
    // This network becomes known.
    login_from(&service, "198.51.100.1", "ada@example.com", PASSWORD)
        .await
        .assert_status(200);

    for email in ["ada@example.com", "unknown@example.com"] {
        for network in 0..20 {
            login_from(&service, &format!("203.0.113.{network}"), email, "wrong")
                .await
                .assert_problem(401, "invalid_credentials");
        }
        assert_throttled(&login_from(&service, "203.0.113.99", email, "wrong").await, "45");
        assert_throttled(&login_from(&service, "203.0.113.1", email, "wrong").await, "45");
    }
    login_from(&service, "198.51.100.1", "ada@example.com", PASSWORD)
        .await
        .assert_status(200);
    login_from(&service, "198.51.100.2", "ada@example.com", PASSWORD)
        .await
        .assert_problem(429, "too_many_attempts");
    // Failures from a known network do not count for all networks together.
    login_from(&service, "198.51.100.1", "ada@example.com", "wrong")
        .await
        .assert_problem(401, "invalid_credentials");
    service.issuer().clock().advance(seconds(45));
    login_from(&service, "198.51.100.2", "ada@example.com", PASSWORD)
        .await
        .assert_status(200);
}

#[actix_web::test]
async fn a_refused_attempt_is_not_counted() {
    let service = throttled_service("2").await;
    for _ in 0..2 {
        login_from(&service, "203.0.113.7", "ada@example.com", "wrong")
            .await
            .assert_problem(401, "invalid_credentials");
    }
    for _ in 0..50 {
        assert_throttled(
            &login_from(&service, "203.0.113.7", "ada@example.com", "wrong").await,
            "450",
        );
    }
    // Nor is it counted for all networks together, which allow eighteen further failures.
    for network in 0..18 {
        login_from(
            &service,
            &format!("198.51.100.{network}"),
            "ada@example.com",
            "wrong",
        )
        .await
        .assert_problem(401, "invalid_credentials");
    }
    login_from(&service, "198.51.100.99", "ada@example.com", "wrong")
        .await
        .assert_problem(429, "too_many_attempts");
}

#[actix_web::test]
async fn a_success_is_not_counted_and_does_not_reset_the_count() {
    let service = throttled_service("3").await;
    for _ in 0..20 {
        login_from(&service, "203.0.113.7", "ada@example.com", PASSWORD)
            .await
            .assert_status(200);
    }
    for _ in 0..2 {
        login_from(&service, "203.0.113.7", "ada@example.com", "wrong")
            .await
            .assert_problem(401, "invalid_credentials");
    }
    login_from(&service, "203.0.113.7", "ada@example.com", PASSWORD)
        .await
        .assert_status(200);
    login_from(&service, "203.0.113.7", "ada@example.com", "wrong")
        .await
        .assert_problem(401, "invalid_credentials");
    assert_throttled(
        &login_from(&service, "203.0.113.7", "ada@example.com", PASSWORD).await,
        "300",
    );
}

#[actix_web::test]
async fn the_throttle_survives_restarts_and_is_shared_by_replicas() {
    let vars = [BEHIND_A_PROXY, ("LOGIN_FREE_FAILURES", "4")];
    let service = throttled_service("4").await;
    let other = replica(&service, &vars);
    for replica in [&service, &other, &service] {
        login_from(replica, "203.0.113.7", "ada@example.com", "wrong")
            .await
            .assert_problem(401, "invalid_credentials");
    }
    other.stop().await;
    let service = restart(service, &vars).await;
    login_from(&service, "203.0.113.7", "ada@example.com", "wrong")
        .await
        .assert_problem(401, "invalid_credentials");
    assert_throttled(
        &login_from(&service, "203.0.113.7", "ada@example.com", PASSWORD).await,
        "225",
    );
}

#[actix_web::test]
async fn malformed_addresses_share_one_count_that_affects_no_account() {
    let service = throttled_service("2").await;
    for text in ["no address", ""] {
        login_from(&service, "203.0.113.7", text, "wrong")
            .await
            .assert_problem(401, "invalid_credentials");
    }
    assert_throttled(
        &login_from(&service, "203.0.113.7", "neither", "wrong").await,
        "450",
    );
    login_from(&service, "203.0.113.7", "ada@example.com", PASSWORD)
        .await
        .assert_status(200);
}

#[actix_web::test]
async fn a_large_number_of_allowed_failures_turns_the_throttle_off() {
    let service = service_with(&[("LOGIN_FREE_FAILURES", "4000000000")]).await;
    logged_in_ada(&service).await;
    for _ in 0..100 {
        login(&service, "ada@example.com", "wrong")
            .await
            .assert_problem(401, "invalid_credentials");
    }
    login(&service, "ada@example.com", PASSWORD)
        .await
        .assert_status(200);
}

#[actix_web::test]
async fn an_attempt_without_a_hashing_slot_is_not_counted() {
    let vars = [
        ("HASH_SLOTS", "1"),
        ("HASH_QUEUE", "0"),
        ("ARGON2_MEMORY_KIB", "65536"),
        ("LOGIN_FREE_FAILURES", "1000"),
    ];
    let service = service_with(&vars).await;
    let responses = join_all((0..40).map(|_| login(&service, "eve@example.com", "wrong"))).await;
    let compared = responses.iter().filter(|response| response.status == 401).count();
    assert!(compared < 40, "every attempt found a slot");
    let expires_at = number(
        &service,
        "select fades_at from login_failures where network <> ''",
    )
    .await;
    let now = service.issuer().clock().now().timestamp_micros();
    assert_eq!(
        expires_at - now,
        i64::try_from(compared).unwrap() * 900_000,
        "each failure counts for a thousandth of 15 minutes"
    );
}
