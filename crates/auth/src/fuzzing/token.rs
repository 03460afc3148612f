//! Tokens: any text, and headers and payloads that are really signed, so that the input gets behind the signature.
//!
//! The first byte of the input chooses an issuer, the second a mode:
//!
//! | mode | the rest of the input |
//! | --- | --- |
//! | `t` | a whole token |
//! | `r` | the header's text, a line feed, and the payload's text, which are signed |
//! | `u`, `s` | changes to a user's or a service's valid token, which is then signed: see `edits` |

mod edits;
mod issuers;
mod keys;
mod rules;

use std::sync::LazyLock;

use futures_util::FutureExt as _;

use self::issuers::ISSUERS;
use crate::clock::Clock;
use crate::error::{AuthError, TokenFault};
use crate::principal::{Principal, Service, ServiceData, UserData};
use crate::profile::ReadClaims;
use crate::revocations::Revocations;
use crate::verifier::Verifier;
use crate::verifier_builder::VerifierBuilder;

/// The time of the verifiers' clock, in Unix seconds.
const NOW: i64 = 1_700_000_000;

/// The same verifier with a cache of this size, in bytes, and without one.
const CACHE_BYTES: [u64; 2] = [16 * 1024, 0];

struct Verifiers {
    /// For each issuer.
    single: Vec<[Verifier; 2]>,
    /// Of all issuers.
    several: [Verifier; 2],
}

static VERIFIERS: LazyLock<Verifiers> = LazyLock::new(|| Verifiers {
    single: (0..ISSUERS.len())
        .map(|index| CACHE_BYTES.map(|bytes| build(of_one(index), bytes)))
        .collect(),
    several: CACHE_BYTES.map(|bytes| build(of_all(), bytes)),
});

fn of_one(index: usize) -> VerifierBuilder {
    let issuer = &ISSUERS[index];
    Verifier::builder(issuer.url, keys::verifying(index), (issuer.profile)())
}

fn of_all() -> VerifierBuilder {
    (1..ISSUERS.len()).fold(of_one(0), |builder, index| {
        let issuer = &ISSUERS[index];
        builder.issuer(issuer.url, keys::verifying(index), (issuer.profile)())
    })
}

fn build(builder: VerifierBuilder, cache_bytes: u64) -> Verifier {
    let clock = Clock::fixed();
    clock.advance(
        chrono::TimeDelta::seconds(NOW) - chrono::TimeDelta::microseconds(clock.now().timestamp_micros()),
    );
    let revocations = Revocations::new(clock.clone(), 16);
    builder
        .clock(clock)
        .revocations(revocations)
        .cache_bytes(cache_bytes)
        .build()
}

/// Reads the input as described above.
pub fn token(input: &[u8]) {
    let [chosen, mode, rest @ ..] = input else { return };
    let index = usize::from(chosen.wrapping_sub(b'a')) % ISSUERS.len();
    let token = match (mode, std::str::from_utf8(rest)) {
        (b'r', Ok(text)) => {
            let (header, payload) = text.split_once('\n').unwrap_or((text, ""));
            keys::sign(index, header, payload)
        }
        (b'u' | b's', Ok(text)) => {
            let (header, payload) = edits::apply(&ISSUERS[index], *mode == b's', text);
            keys::sign(index, &header, &payload)
        }
        _ => rest.to_vec(),
    };
    check(index, &token);
}

/// Verifies a token by the verifier of this issuer and by that of all, and checks the rules.
fn check(index: usize, token: &[u8]) {
    let single = verify(&VERIFIERS.single[index], token);
    if rules::is_too_deep(token) {
        return;
    }
    if let Ok(principal) = &single {
        rules::check(index, token, principal);
        let changed = change(token);
        let [_, uncached] = &VERIFIERS.single[index];
        assert!(
            verify_once(uncached, &changed).is_err(),
            "a changed token is accepted: {}",
            changed.escape_ascii()
        );
    }
    let several = verify(&VERIFIERS.several, token);
    if let Ok(principal) = &several {
        let of = rules::issuer_of(token);
        let [_, uncached] = &VERIFIERS.single[of];
        assert_eq!(verify_once(uncached, token).as_ref(), Ok(principal));
        rules::check(of, token, principal);
    }
}

/// Verifies a token in each way that there is. All must agree.
fn verify([cached, uncached]: &[Verifier; 2], token: &[u8]) -> Result<Principal, AuthError> {
    let outcome = verify_once(uncached, token);
    assert_eq!(verify_once(cached, token), outcome);
    match std::str::from_utf8(token) {
        Ok(text) => {
            let again = cached.verify_with_current_keys(text).map(comparable);
            assert_eq!(again, outcome, "the cache changes the outcome");
        }
        Err(_) => assert!(matches!(
            outcome,
            Err(AuthError::InvalidToken(
                TokenFault::Malformed | TokenFault::TooLong
            ))
        )),
    }
    outcome
}

fn verify_once(verifier: &Verifier, token: &[u8]) -> Result<Principal, AuthError> {
    let outcome = verifier.verify(token).now_or_never();
    outcome.expect("nothing to wait for").map(comparable)
}

/// The principal without the application's claims, which only equal themselves, and without the place of its issuer in the verifier.
fn comparable(principal: Principal) -> Principal {
    match principal {
        Principal::User(user) => Principal::User(
            UserData {
                application_claims: ReadClaims::default(),
                ..UserData::clone(&user.data)
            }
            .into(),
        ),
        Principal::Service(Service(data)) => Principal::Service(Service(
            ServiceData {
                is_of_first_issuer: true,
                ..ServiceData::clone(&data)
            }
            .into(),
        )),
    }
}

/// Another text: with a byte replaced, inserted or removed, at a place that depends on the token.
fn change(token: &[u8]) -> Vec<u8> {
    const OTHERS: &[u8] = b"A_.= \n+/\xff\x00w";
    let sum = token.iter().fold(7_usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(usize::from(*byte))
    });
    let (place, other) = (sum % token.len(), OTHERS[(sum >> 16) % OTHERS.len()]);
    let mut changed = token.to_vec();
    match (sum >> 32) % 4 {
        0 => changed.insert(place, other),
        1 => drop(changed.remove(place)),
        2 => changed.push(other),
        _ => changed[place] = if changed[place] == other { b'B' } else { other },
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unchanged_token_is_accepted() {
        for (index, issuer) in ISSUERS.iter().enumerate() {
            for is_service in [false, true] {
                let (header, payload) = edits::apply(issuer, is_service, "");
                let token = keys::sign(index, &header, &payload);
                let outcome = verify(&VERIFIERS.single[index], &token);
                let is_accepted = !is_service || !issuer.service_audiences.is_empty();
                assert_eq!(outcome.is_ok(), is_accepted, "{}: {outcome:?}", issuer.url);
                assert_eq!(verify(&VERIFIERS.several, &token), outcome, "{}", issuer.url);
                check(index, &token);
            }
        }
    }
}
