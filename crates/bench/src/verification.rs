//! The ways to verify a token that are compared: the bare check of its signature by aws-lc-rs, and a service's verifier, of a
//! token that it has seen before and of one that it has not.

use std::time::{Duration, Instant};

use auth::{Revocations, Verifier};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::Failure;
use crate::tokens::{BareCheck, COUNT, Signer, revocations};

/// The clock is asked once for so many tokens.
const BATCH: u32 = 500;

/// One way to verify tokens. It visits [`COUNT`] of them in turn, so that each is as cold as in a service with so many callers.
pub struct Verification {
    name: &'static str,
    /// Whether the token of this number is good.
    verifies: Verifies,
    next: usize,
}

impl Verification {
    /// What it is called. The first word is the algorithm.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How long the next so many tokens take.
    ///
    /// # Panics
    /// When one is refused: all are good.
    pub fn time(&mut self, count: u64) -> Duration {
        let begun = Instant::now();
        for _ in 0..count {
            assert!(
                (self.verifies)(self.next),
                "{}: a good token was refused",
                self.name
            );
            self.next = (self.next + 1) % COUNT;
        }
        begun.elapsed()
    }

    /// What one token costs, in nanoseconds, measured for at least this long.
    pub fn nanoseconds(&mut self, at_least: Duration) -> f64 {
        let (mut elapsed, mut batches) = (Duration::ZERO, 0_u32);
        while elapsed < at_least {
            elapsed += self.time(BATCH.into());
            batches += 1;
        }
        elapsed.as_secs_f64() * 1e9 / (f64::from(batches) * f64::from(BATCH))
    }
}

/// All ways, of each algorithm three: the bare signature, a token seen before, one first seen.
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

fn of(
    names: [&'static str; 3],
    signer: Signer,
    revocations: &Revocations,
) -> Result<[Verification; 3], Failure> {
    let tokens = signer.tokens()?;
    let verifier = signer.verifier(revocations);
    for token in &tokens {
        verifier
            .verify_with_held_keys(token)
            .map_err(|refusal| format!("a good token: {refusal:?}"))?;
    }
    let [bare, cached, first_seen] = names;
    let way = |name, verifies| Verification {
        name,
        verifies,
        next: 0,
    };
    Ok([
        way(bare, bare_signature(signer.bare_check(), &tokens)?),
        way(cached, seen_before(verifier, tokens.clone())),
        way(first_seen, never_seen(signer, revocations.clone(), tokens)),
    ])
}

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

fn seen_before(verifier: Verifier, tokens: Vec<String>) -> Verifies {
    Box::new(move |number| accepts(&verifier, &tokens, number))
}

/// Forgets all tokens before it visits the first one again. That counts too, as forgetting does where more tokens come than a
/// cache holds.
fn never_seen(signer: Signer, revocations: Revocations, tokens: Vec<String>) -> Verifies {
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
        .is_some_and(|token| verifier.verify_with_held_keys(token).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_takes_every_token_and_goes_round() {
        for mut verification in all().unwrap().into_iter().flatten() {
            assert!(verification.time(COUNT as u64 + 1) > Duration::ZERO);
            assert_eq!(verification.next, 1, "{}", verification.name());
        }
    }
}
