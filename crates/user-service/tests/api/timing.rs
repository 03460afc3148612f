//! How long a login takes tells nobody whether the address is known, the password right or the person disabled.

use std::time::Instant;

use serde_json::json;
use test_kit::TestService;

use crate::{PASSWORD, admin, login, register, service_with};

/// Tries of each kind: two thousand in all.
const TRIES: usize = 667;
/// Where there is no time for those: enough to see a hash that is not computed, or another one.
const FEW_TRIES: usize = 40;

/// Whether there is time for what takes minutes (`scripts/test --all`).
fn is_long() -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "the tests' own switch, not a service's configuration"
    )]
    std::env::var("LONG_TESTS").is_ok()
}

/// Beyond it, two samples of one distribution are once in about 16,000 times.
const LIMIT: f64 = 4.0;

const KINDS: [(&str, &str, &str); 3] = [
    ("unknown", "nobody@example.com", PASSWORD),
    ("known, wrong", "ada@example.com", "wrong horse battery"),
    ("disabled, right", "bob@example.com", PASSWORD),
];

#[actix_web::test]
async fn unknown_wrong_and_disabled_logins_take_equally_long() {
    // The cost of a hash as it is where people use it.
    let vars = [
        ("ARGON2_MEMORY_KIB", "19456"),
        ("ARGON2_PASSES", "2"),
        ("LOGIN_FREE_FAILURES", "1000000"),
    ];
    let service = service_with(&vars).await;
    register(&service, "ada@example.com").await;
    let bob = register(&service, "bob@example.com").await;
    let path = format!("/admin/users/{}", bob["id"].as_str().unwrap());
    admin(&service)
        .await
        .patch(&path, json!({"disabled": true}))
        .await
        .assert_status(200);

    let samples = interleaved(&service).await;

    for (index, one) in KINDS.iter().enumerate() {
        for (other_index, other) in KINDS.iter().enumerate().skip(index + 1) {
            let z = rank_sum(&samples[index], &samples[other_index]);
            let medians = [index, other_index].map(|index| median(&samples[index]));
            println!("{} and {}: medians {medians:.3?} ms, z = {z:.2}", one.0, other.0);
            assert!(
                z.abs() < LIMIT,
                "{} and {} can be told apart: z = {z:.2}, {medians:?}",
                one.0,
                other.0
            );
        }
    }
    // It would have told: of so many tries a fifth of a hash more or less is seen.
    let later: Vec<_> = samples[0].iter().map(|time| time * 1.2).collect();
    let z = rank_sum(&samples[0], &later);
    println!("a fifth later: z = {z:.2}");
    assert!(
        !is_long() || z.abs() > LIMIT,
        "this machine is too restless to tell anything: z = {z:.2}"
    );
}

/// How long tries of each kind took, in milliseconds, each round in another order.
async fn interleaved(service: &TestService) -> [Vec<f64>; 3] {
    let mut samples = [const { Vec::new() }; 3];
    for (_, email, password) in KINDS {
        login(service, email, password)
            .await
            .assert_problem(401, "invalid_credentials");
    }
    for round in 0..if is_long() { TRIES } else { FEW_TRIES } {
        for place in 0..KINDS.len() {
            // All six orders come in turn.
            let index = if round % 2 == 0 {
                (round / 2 + place) % 3
            } else {
                (round / 2 + 3 - place) % 3
            };
            let (_, email, password) = KINDS[index];
            let begun = Instant::now();
            login(service, email, password)
                .await
                .assert_problem(401, "invalid_credentials");
            samples[index].push(begun.elapsed().as_secs_f64() * 1_000.0);
        }
    }
    samples
}

/// How many standard deviations the rank sum of one sample is from where it would be if both were of one distribution (Mann and
/// Whitney's test).
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
