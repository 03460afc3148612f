//! The duration of a login does not reveal whether the address is known, the password right or the user disabled.

use std::time::Instant;

use serde_json::json;
use test_kit::TestService;

use crate::{PASSWORD, is_long, logged_in_admin, login, register, service_with};

/// Attempts of each kind in the long test: two thousand in all.
const ATTEMPTS: usize = 667;
/// Attempts of each kind in the short test: enough to notice a missing or an additional hash.
const FEW_ATTEMPTS: usize = 40;

/// Two samples of one distribution exceed this |z| once in about 16,000 times.
const MAX_Z: f64 = 4.0;

const KINDS: [(&str, &str, &str); 3] = [
    ("unknown", "unknown@example.com", PASSWORD),
    ("known, wrong", "ada@example.com", "wrong horse battery"),
    ("disabled, right", "bob@example.com", PASSWORD),
];

#[actix_web::test]
async fn unknown_wrong_and_disabled_logins_take_the_same_time() {
    // The cost of a hash in production.
    let vars = [
        ("ARGON2_MEMORY_KIB", "19456"),
        ("ARGON2_PASSES", "2"),
        ("LOGIN_FREE_FAILURES", "1000000"),
    ];
    let service = service_with(&vars).await;
    register(&service, "ada@example.com").await;
    let bob = register(&service, "bob@example.com").await;
    let path = format!("/admin/users/{}", bob["id"].as_str().unwrap());
    logged_in_admin(&service)
        .await
        .patch(&path, json!({"disabled": true}))
        .await
        .assert_status(200);

    let samples = interleaved_samples(&service).await;

    for (index, one) in KINDS.iter().enumerate() {
        for (other_index, other) in KINDS.iter().enumerate().skip(index + 1) {
            let z = rank_sum(&samples[index], &samples[other_index]);
            let medians = [index, other_index].map(|index| median(&samples[index]));
            println!("{} and {}: medians {medians:.3?} ms, z = {z:.2}", one.0, other.0);
            assert!(
                z.abs() < MAX_Z,
                "{} and {} differ measurably: z = {z:.2}, {medians:?}",
                one.0,
                other.0
            );
        }
    }
    // The long test is sensitive enough: it notices a difference of a fifth.
    let slower: Vec<_> = samples[0].iter().map(|time| time * 1.2).collect();
    let z = rank_sum(&samples[0], &slower);
    println!("a fifth slower: z = {z:.2}");
    assert!(
        !is_long() || z.abs() > MAX_Z,
        "this machine is too busy for this test: z = {z:.2}"
    );
}

/// Durations of attempts of each kind, in milliseconds. Each round has another order.
async fn interleaved_samples(service: &TestService) -> [Vec<f64>; 3] {
    let mut samples = [const { Vec::new() }; 3];
    for (_, email, password) in KINDS {
        login(service, email, password)
            .await
            .assert_problem(401, "invalid_credentials");
    }
    for round in 0..if is_long() { ATTEMPTS } else { FEW_ATTEMPTS } {
        for place in 0..KINDS.len() {
            // The six orders take turns.
            let index = if round % 2 == 0 {
                (round / 2 + place) % 3
            } else {
                (round / 2 + 3 - place) % 3
            };
            let (_, email, password) = KINDS[index];
            let started = Instant::now();
            login(service, email, password)
                .await
                .assert_problem(401, "invalid_credentials");
            samples[index].push(started.elapsed().as_secs_f64() * 1_000.0);
        }
    }
    samples
}

/// The z value of the Mann–Whitney test: how many standard deviations the rank sum of one sample is from the value that is
/// expected if both samples have one distribution.
fn rank_sum(one: &[f64], other: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> = one
        .iter()
        .map(|time| (*time, true))
        .chain(other.iter().map(|time| (*time, false)))
        .collect();
    all.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let count = |length: usize| f64::from(u32::try_from(length).unwrap());
    let ranks = (1..)
        .zip(&all)
        .filter(|(_, (_, is_one))| *is_one)
        .map(|(rank, _)| f64::from(rank));
    let (n, m) = (count(one.len()), count(other.len()));
    let u = ranks.sum::<f64>() - n * (n + 1.0) / 2.0;
    (u - n * m / 2.0) / (n * m * (n + m + 1.0) / 12.0).sqrt()
}

fn median(sample: &[f64]) -> f64 {
    let mut sorted = sample.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
