//! The compared ways to verify a token: the signature check alone by aws-lc-rs, and the verifier of a service, with a cached
//! token and with one that is first seen.

use std::time::{Duration, Instant};

use auth::{Revocations, Verifier};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::Failure;
use crate::tokens::{BareCheck, COUNT, Signer, revocations};

/// The number of tokens between two reads of the clock.
const BATCH: u32 = 500;

/// One way to verify tokens. It visits [`COUNT`] tokens in turn, so that each is as cold in the caches as with that many callers.
pub struct Verification {
    name: &'static str,
    /// Verifies the token with this number.
    verifies: Verifies,
    next: usize,
}

impl Verification {
    /// Its name. The first word is the algorithm.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The time for this number of tokens.
    ///
    /// # Panics
    /// If a token is refused, because all are valid.
    pub fn time(&mut self, count: u64) -> Duration {
        let started = Instant::now();
        for _ in 0..count {
            assert!(
                (self.verifies)(self.next),
                "{}: a valid token was refused",
                self.name
            );
            self.next = (self.next + 1) % COUNT;
        }
        started.elapsed()
    }

    /// The time per token in nanoseconds, measured for at least this duration.
    pub fn nanoseconds(&mut self, at_least: Duration) -> f64 {
        let (mut elapsed, mut batches) = (Duration::ZERO, 0_u32);
        while elapsed < at_least {
            elapsed += self.time(BATCH.into());
            batches += 1;
        }
        elapsed.as_secs_f64() * 1e9 / (f64::from(batches) * f64::from(BATCH))
    }
}

/// All ways, three per algorithm: the signature check alone, a cached token, a token first seen.
pub fn all() -> Result<[[Verification; 3]; 2], Failure> {
    let revocations = revocations();
    let hs256 = [
        "HS256 bare signature",
        "HS256 ours, cached",
        "HS256 ours, first seen",
    ];
    let eddsa = [
        "EdDSA bare signature",
        "EdDSA ours, cached",
        "EdDSA ours, first seen",
    ];
    Ok([
        of(hs256, Signer::hs256()?, &revocations)?,
        of(eddsa, Signer::eddsa()?, &revocations)?,
    ])
}

/// With Ed25519 and this revocation set: a cached token, and a token first seen.
pub fn with_revocations(revocations: &Revocations) -> Result<[Verification; 2], Failure> {
    let names = ["bare signature", "cached", "first seen"];
    let [_, cached, first_seen] = of(names, Signer::eddsa()?, revocations)?;
    Ok([cached, first_seen])
}

fn of(
    names: [&'static str; 3],
    signer: Signer,
    revocations: &Revocations,
) -> Result<[Verification; 3], Failure> {
    let tokens = signer.tokens()?;
    let verifier = signer.verifier(revocations);
    for token in &tokens {
        verifier
            .verify_with_current_keys(token)
            .map_err(|refusal| format!("a valid token was refused: {refusal:?}"))?;
    }
    let [bare_name, cached_name, first_seen_name] = names;
    let way = |name, verifies| Verification {
        name,
        verifies,
        next: 0,
    };
    Ok([
        way(bare_name, bare_signature(signer.bare_check(), &tokens)?),
        way(cached_name, cached(verifier, tokens.clone())),
        way(first_seen_name, first_seen(signer, revocations.clone(), tokens)),
    ])
}

/// Verifies the token with this number.
type Verifies = Box<dyn FnMut(usize) -> bool>;

fn bare_signature(check: BareCheck, tokens: &[String]) -> Result<Verifies, Failure> {
    let split = |token: &String| {
        let (signed, signature) = token.rsplit_once('.').ok_or("a token without dots")?;
        Ok::<_, Failure>((signed.to_owned(), URL_SAFE_NO_PAD.decode(signature)?))
    };
    let parts = tokens.iter().map(split).collect::<Result<Vec<_>, _>>()?;
    Ok(Box::new(move |number| {
        let part = parts.get(number);
        part.is_some_and(|(signed, signature)| check(signed.as_bytes(), signature))
    }))
}

fn cached(verifier: Verifier, tokens: Vec<String>) -> Verifies {
    Box::new(move |number| accepts(&verifier, &tokens, number))
}

/// Empties the cache before it visits the first token again. That time counts, as evictions do with more tokens than a cache holds.
fn first_seen(signer: Signer, revocations: Revocations, tokens: Vec<String>) -> Verifies {
    let mut verifier = signer.verifier(&revocations);
    Box::new(move |number| {
        if number == 0 {
            verifier = signer.verifier(&revocations);
        }
        accepts(&verifier, &tokens, number)
    })
}

fn accepts(verifier: &Verifier, tokens: &[String], number: usize) -> bool {
    tokens
        .get(number)
        .is_some_and(|token| verifier.verify_with_current_keys(token).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_accepts_every_token_repeatedly() {
        for mut verification in all().unwrap().into_iter().flatten() {
            assert!(verification.time(COUNT as u64 + 1) > Duration::ZERO);
            assert_eq!(verification.next, 1, "{}", verification.name());
        }
    }
}
