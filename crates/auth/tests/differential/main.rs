//! Compares the verifier with plain `jsonwebtoken`, configured with the same issuer, audiences and leeway. Each token that
//! the verifier admits, `jsonwebtoken` must admit with the same subject and expiry. If only the verifier refuses a token, the
//! reason must be listed in `signed_claims.rs`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed expectation fails the test"
)]

mod edits;
#[path = "../forge/mod.rs"]
mod forge;
mod signed_claims;
mod tampering;

use auth::Principal;
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde::Deserialize;
use serde_json::Value;

use forge::{Forge, SERVICE, claims, header};

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    })
}

/// The claims that `jsonwebtoken` reads.
#[derive(Deserialize)]
struct ReferenceClaims {
    sub: Value,
    exp: Value,
}

/// Verifies a token with `jsonwebtoken`.
fn reference(forge: &Forge, token: &str) -> Result<ReferenceClaims, jsonwebtoken::errors::Error> {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&[forge.issuer.issuer()]);
    validation.set_audience(&["platform", SERVICE]);
    validation.set_required_spec_claims(&["iss", "sub", "aud", "exp"]);
    validation.validate_nbf = true;
    validation.leeway = 30;
    let key = DecodingKey::from_ed_der(forge.public_key());
    Ok(jsonwebtoken::decode(token, &key, &validation)?.claims)
}

fn assert_same(principal: &Principal, reference: &ReferenceClaims) {
    match principal {
        Principal::User(user) => {
            assert_eq!(reference.sub, user.id().to_string());
            // chrono's calendar ends before the largest 64-bit timestamp.
            let exp = whole_seconds(&reference.exp)
                .unwrap()
                .min(DateTime::<Utc>::MAX_UTC.timestamp());
            assert_eq!(user.expires_at().timestamp(), exp);
        }
        Principal::Service(service) => assert_eq!(reference.sub, service.name()),
    }
}

/// A `NumericDate` (RFC 7519 §2) without its fraction, if it fits into 64 bits.
fn whole_seconds(date: &Value) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    date.as_i64().or_else(|| {
        let seconds = date.as_f64().filter(|_| date.is_f64())?.floor();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a whole number within the range of i64"
        )]
        (-LIMIT..LIMIT).contains(&seconds).then_some(seconds as i64)
    })
}

#[test]
fn both_admit_every_token_of_an_honest_issuer() {
    let words = "[ -~]{0,20}|\\PC{0,10}";
    let tokens = (
        any::<bool>(),
        words,
        words,
        proptest::collection::vec(words, 0..4),
        any::<i64>(),
    );
    runner(200)
        .run(&tokens, |(is_user, name, scope, roles, epoch)| {
            let forge = Forge::new();
            let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
            let test_token = if is_user {
                forge.issuer.as_roles(&roles).name(&name).epoch(epoch)
            } else {
                forge.issuer.as_service(&format!("{name}-service"))
            };
            let token = forge.token(&header(), &claims(&test_token.scope(&scope)));
            assert_same(
                &forge.verify(&token).unwrap(),
                &reference(&forge, &token).unwrap(),
            );
            Ok(())
        })
        .unwrap();
}
