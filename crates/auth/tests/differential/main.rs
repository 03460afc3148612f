//! Compares the verifier with plain `jsonwebtoken`, configured with the same issuer, audiences and leeway. Each token that
//! the verifier admits, `jsonwebtoken` must admit with the same subject and expiry. If only the verifier refuses a token, the
//! reason must be listed in `signed_claims.rs`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed expectation ends the test"
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
            // The calendar ends before the largest 64-bit timestamp.
            let exp = reference
                .exp
                .as_i64()
                .unwrap()
                .min(DateTime::<Utc>::MAX_UTC.timestamp());
            assert_eq!(user.expires_at().timestamp(), exp);
        }
        Principal::Service(service) => assert_eq!(reference.sub, service.name()),
    }
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
