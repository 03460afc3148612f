//! How often a password may be guessed.

use futures_util::future::join_all;
use serde_json::json;
use test_kit::{TestResponse, TestService};

use crate::database::number;
use crate::{PASSWORD, ada, login, register, replica, restart, seconds, service_with};

const BEHIND_A_PROXY: (&str, &str) = ("TRUSTED_PROXIES", "127.0.0.1");

async fn guess_from(service: &TestService, address: &str, email: &str, password: &str) -> TestResponse {
    let client = service.anonymous().with("x-forwarded-for", address);
    client
        .post("/auth/login", json!({"email": email, "password": password}))
        .await
}

async fn house(free: &str) -> TestService {
    let service = service_with(&[BEHIND_A_PROXY, ("LOGIN_FREE_FAILURES", free)]).await;
    register(&service, "ada@example.com").await;
    service
}

fn assert_throttled(answer: &TestResponse, retry_after: &str) {
    answer.assert_problem(429, "too_many_attempts");
    assert_eq!(answer.header("retry-after"), retry_after);
}

#[actix_web::test]
async fn ten_failures_are_free_and_the_eleventh_try_waits_to_the_second() {
    let service = house("10").await;
    for email in ["ada@example.com", "nobody@example.com"] {
        for _ in 0..10 {
            guess_from(&service, "203.0.113.7", email, "wrong")
                .await
                .assert_problem(401, "invalid_credentials");
        }
        assert_throttled(&guess_from(&service, "203.0.113.7", email, "wrong").await, "90");
    }
    // The right password is no way around it.
    assert_throttled(
        &guess_from(&service, "203.0.113.7", "ada@example.com", PASSWORD).await,
        "90",
    );

    service.issuer().clock().advance(seconds(89));
    assert_throttled(
        &guess_from(&service, "203.0.113.7", "ada@example.com", "wrong").await,
        "1",
    );
    service.issuer().clock().advance(seconds(1));
    guess_from(&service, "203.0.113.7", "ada@example.com", "wrong")
        .await
        .assert_problem(401, "invalid_credentials");
    assert_throttled(
        &guess_from(&service, "203.0.113.7", "ada@example.com", "wrong").await,
        "90",
    );
    // All have faded after 15 minutes.
    service.issuer().clock().advance(seconds(900));
    for _ in 0..10 {
        guess_from(&service, "203.0.113.7", "ada@example.com", "wrong")
            .await
            .assert_problem(401, "invalid_credentials");
    }
    assert_throttled(
        &guess_from(&service, "203.0.113.7", "ada@example.com", "wrong").await,
        "90",
    );
}

#[actix_web::test]
async fn fifty_guesses_at_once_count_exactly() {
    let service = house("10").await;
    for email in ["ada@example.com", "nobody@example.com"] {
        let answers = join_all((0..50).map(|_| guess_from(&service, "203.0.113.7", email, "wrong"))).await;
        let refused = answers.iter().filter(|answer| answer.status == 429).count();
        let compared = answers.iter().filter(|answer| answer.status == 401).count();
        assert_eq!((compared, refused), (10, 40), "{email}");
    }
}

#[actix_web::test]
async fn what_is_counted_is_the_account_and_the_network() {
    let service = house("2").await;
    for _ in 0..2 {
        guess_from(&service, "203.0.113.7", "ADA@Example.com ", "wrong")
            .await
            .assert_problem(401, "invalid_credentials");
        guess_from(&service, "2001:db8:0:1::1", "ada@example.com", "wrong")
            .await
            .assert_problem(401, "invalid_credentials");
    }
    assert_throttled(
        &guess_from(&service, "203.0.113.7", "ada@example.com", "wrong").await,
        "450",
    );
    assert_throttled(
        &guess_from(&service, "2001:db8:0:1:ffff::2", "ada@example.com", "wrong").await,
        "450",
    );
    // Another account, another address, another /64.
    guess_from(&service, "203.0.113.7", "bob@example.com", "wrong")
        .await
        .assert_problem(401, "invalid_credentials");
    guess_from(&service, "203.0.113.8", "ada@example.com", "wrong")
        .await
        .assert_problem(401, "invalid_credentials");
    guess_from(&service, "2001:db8:0:2::1", "ada@example.com", PASSWORD)
        .await
        .assert_status(200);
}

#[actix_web::test]
async fn whoever_guesses_from_everywhere_is_stopped_and_the_owner_is_not_locked_out() {
    let service = house("2").await;
    // Where Ada logs in from.
    guess_from(&service, "198.51.100.1", "ada@example.com", PASSWORD)
        .await
        .assert_status(200);

    for email in ["ada@example.com", "nobody@example.com"] {
        for network in 0..20 {
            guess_from(&service, &format!("203.0.113.{network}"), email, "wrong")
                .await
                .assert_problem(401, "invalid_credentials");
        }
        assert_throttled(&guess_from(&service, "203.0.113.99", email, "wrong").await, "45");
        assert_throttled(&guess_from(&service, "203.0.113.1", email, "wrong").await, "45");
    }
    guess_from(&service, "198.51.100.1", "ada@example.com", PASSWORD)
        .await
        .assert_status(200);
    guess_from(&service, "198.51.100.2", "ada@example.com", PASSWORD)
        .await
        .assert_problem(429, "too_many_attempts");
    // Ada's own typos are not held against others.
    guess_from(&service, "198.51.100.1", "ada@example.com", "wrong")
        .await
        .assert_problem(401, "invalid_credentials");
    service.issuer().clock().advance(seconds(45));
    guess_from(&service, "198.51.100.2", "ada@example.com", PASSWORD)
        .await
        .assert_status(200);
}

#[actix_web::test]
async fn a_refused_try_counts_for_nothing() {
    let service = house("2").await;
    for _ in 0..2 {
        guess_from(&service, "203.0.113.7", "ada@example.com", "wrong")
            .await
            .assert_problem(401, "invalid_credentials");
    }
    for _ in 0..50 {
        assert_throttled(
            &guess_from(&service, "203.0.113.7", "ada@example.com", "wrong").await,
            "450",
        );
    }
    // Neither there nor for all networks together, where eighteen more are free.
    for network in 0..18 {
        guess_from(
            &service,
            &format!("198.51.100.{network}"),
            "ada@example.com",
            "wrong",
        )
        .await
        .assert_problem(401, "invalid_credentials");
    }
    guess_from(&service, "198.51.100.99", "ada@example.com", "wrong")
        .await
        .assert_problem(429, "too_many_attempts");
}

#[actix_web::test]
async fn successes_are_not_counted_and_wipe_nothing_out() {
    let service = house("3").await;
    for _ in 0..20 {
        guess_from(&service, "203.0.113.7", "ada@example.com", PASSWORD)
            .await
            .assert_status(200);
    }
    for _ in 0..2 {
        guess_from(&service, "203.0.113.7", "ada@example.com", "wrong")
            .await
            .assert_problem(401, "invalid_credentials");
    }
    guess_from(&service, "203.0.113.7", "ada@example.com", PASSWORD)
        .await
        .assert_status(200);
    guess_from(&service, "203.0.113.7", "ada@example.com", "wrong")
        .await
        .assert_problem(401, "invalid_credentials");
    assert_throttled(
        &guess_from(&service, "203.0.113.7", "ada@example.com", PASSWORD).await,
        "300",
    );
}

#[actix_web::test]
async fn it_holds_over_restarts_and_across_replicas() {
    let vars = [BEHIND_A_PROXY, ("LOGIN_FREE_FAILURES", "4")];
    let service = house("4").await;
    let other = replica(&service, &vars);
    for replica in [&service, &other, &service] {
        guess_from(replica, "203.0.113.7", "ada@example.com", "wrong")
            .await
            .assert_problem(401, "invalid_credentials");
    }
    other.stop().await;
    let service = restart(service, &vars).await;
    guess_from(&service, "203.0.113.7", "ada@example.com", "wrong")
        .await
        .assert_problem(401, "invalid_credentials");
    assert_throttled(
        &guess_from(&service, "203.0.113.7", "ada@example.com", PASSWORD).await,
        "225",
    );
}

#[actix_web::test]
async fn what_is_no_address_is_counted_too_and_hinders_nobody() {
    let service = house("2").await;
    for text in ["no address", ""] {
        guess_from(&service, "203.0.113.7", text, "wrong")
            .await
            .assert_problem(401, "invalid_credentials");
    }
    assert_throttled(
        &guess_from(&service, "203.0.113.7", "neither", "wrong").await,
        "450",
    );
    guess_from(&service, "203.0.113.7", "ada@example.com", PASSWORD)
        .await
        .assert_status(200);
}

#[actix_web::test]
async fn a_large_number_turns_it_off() {
    let service = service_with(&[("LOGIN_FREE_FAILURES", "4000000000")]).await;
    ada(&service).await;
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
async fn what_finds_no_slot_is_not_counted() {
    let vars = [
        ("HASH_SLOTS", "1"),
        ("HASH_QUEUE", "0"),
        ("ARGON2_MEMORY_KIB", "65536"),
        ("LOGIN_FREE_FAILURES", "1000"),
    ];
    let service = service_with(&vars).await;
    let answers = join_all((0..40).map(|_| login(&service, "eve@example.com", "wrong"))).await;
    let compared = answers.iter().filter(|answer| answer.status == 401).count();
    assert!(compared < 40, "a slot for everyone");
    let fades_at = number(
        &service,
        "select fades_at from login_failures where network <> ''",
    )
    .await;
    let now = service.issuer().clock().now().timestamp_micros();
    assert_eq!(
        fades_at - now,
        i64::try_from(compared).unwrap() * 900_000,
        "a thousandth of 15 minutes for each"
    );
}
