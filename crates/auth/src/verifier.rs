//! The decision itself: is this token good, now, here, and whom does it speak for.

use std::sync::Arc;

use chrono::TimeDelta;
use quick_cache::sync::Cache;

use crate::clock::Clock;
use crate::keys::{Keys, Refetch};
use crate::principal::Principal;
use crate::refusal::{AuthError, TokenFault};
use crate::revocation::Revocations;
use crate::token::{Claims, Expected, Parts};
use crate::verified::{ByBytes, Shown, Text, Verified};

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Verifies access tokens and service tokens. Built once at start-up; clones share keys, cache and revocations.
///
/// The order of work is: cache of verified tokens, length, header, key, signature, claims; and on every call, whether the
/// token was seen before or not, expiry and then revocation. A token that was seen before costs a comparison of its text.
#[derive(Clone, Debug)]
pub struct Verifier {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    issuer: String,
    people: String,
    service: String,
    leeway: i64,
    clock: Clock,
    keys: Keys,
    revocations: Revocations,
    verified: Cache<Text, Verified, ByBytes>,
}

/// What a [`Verifier`] is made of.
#[derive(Debug)]
pub struct VerifierBuilder {
    issuer: String,
    people: String,
    service: String,
    leeway: TimeDelta,
    clock: Clock,
    keys: Keys,
    revocations: Option<Revocations>,
    cache_bytes: u64,
}

impl VerifierBuilder {
    /// The audience of people's tokens. `platform`, unless said otherwise.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.people = audience.into();
        self
    }

    /// How far clocks may differ. 30 seconds, unless said otherwise.
    #[must_use]
    pub fn leeway(mut self, leeway: TimeDelta) -> Self {
        self.leeway = leeway;
        self
    }

    /// The clock to go by.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// What was taken back. An empty set of its own, unless said otherwise.
    #[must_use]
    pub fn revocations(mut self, revocations: Revocations) -> Self {
        self.revocations = Some(revocations);
        self
    }

    /// How much memory verified tokens may take, in bytes. 24 MiB, unless said otherwise: some 15,000 tokens.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// The verifier.
    #[must_use]
    pub fn build(self) -> Verifier {
        let revocations = self
            .revocations
            .unwrap_or_else(|| Revocations::new(self.clock.clone(), Revocations::DEFAULT_CAPACITY));
        let usual_weight = 1_500;
        let estimated_items = usize::try_from(self.cache_bytes / usual_weight).unwrap_or(usize::MAX);
        Verifier {
            shared: Arc::new(Shared {
                issuer: self.issuer,
                people: self.people,
                service: self.service,
                leeway: self.leeway.num_seconds(),
                clock: self.clock,
                keys: self.keys,
                revocations,
                verified: Cache::with_weighter(estimated_items, self.cache_bytes, ByBytes),
            }),
        }
    }
}

impl Verifier {
    /// Begins a verifier for the service of this name, of tokens that `issuer` signed with one of `keys`. Services' tokens
    /// must name `service` as their audience.
    #[must_use]
    pub fn builder(service: impl Into<String>, issuer: impl Into<String>, keys: Keys) -> VerifierBuilder {
        VerifierBuilder {
            issuer: issuer.into(),
            people: "platform".to_owned(),
            service: service.into(),
            leeway: TimeDelta::seconds(30),
            clock: Clock::system(),
            keys,
            revocations: None,
            cache_bytes: 24 * 1024 * 1024,
        }
    }

    /// Verifies a token. Waits for nothing but, at most once in ten seconds, a key set that may hold an unknown key.
    ///
    /// # Errors
    /// [`AuthError::InvalidToken`], [`Expired`](AuthError::Expired) and [`Revoked`](AuthError::Revoked) for a bad token;
    /// [`KeysUnavailable`](AuthError::KeysUnavailable) and [`RevocationUnknown`](AuthError::RevocationUnknown) when this
    /// verifier can't judge any.
    pub async fn verify(&self, token: &str) -> Result<Principal, AuthError> {
        let generation = self.shared.keys.generation();
        let verified = self.verify_with_held_keys(token);
        if !matches!(
            verified,
            Err(AuthError::InvalidToken(TokenFault::UnknownKey) | AuthError::KeysUnavailable)
        ) {
            return verified;
        }
        self.shared.keys.refetch(Refetch::UnknownKey).await;
        if self.shared.keys.generation() == generation {
            verified
        } else {
            self.verify_with_held_keys(token)
        }
    }

    /// Verifies a token with the keys that are held now, without waiting for anything.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn verify_with_held_keys(&self, token: &str) -> Result<Principal, AuthError> {
        let shared = &*self.shared;
        let now = shared.clock.unix();
        let principal = match shared.verified.get(&Shown(token)) {
            Some(seen) if seen.generation == shared.keys.generation() => seen.principal,
            _ => self.verify_unseen(token, now)?,
        };
        if now >= principal.expires_at().saturating_add(shared.leeway) {
            return Err(AuthError::Expired);
        }
        if let Principal::User(user) = &principal {
            shared.revocations.judge(user, now)?;
        }
        Ok(principal)
    }

    /// What a good token says, a service's also where it is meant for another service: for the issuer itself, which is asked about
    /// all of them (RFC 7662, RFC 7009). It lets nobody in: what was taken back is the issuer's to know.
    ///
    /// # Errors
    /// As [`verify`](Self::verify), but for revocation.
    pub fn claims_for_any_audience(&self, token: &str) -> Result<Claims, AuthError> {
        let shared = &*self.shared;
        let (claims, _) = self.signed_claims(token)?;
        let now = shared.clock.unix();
        let any = claims.aud.first().map_or("", String::as_str);
        let expected = Expected {
            issuer: &shared.issuer,
            people: &shared.people,
            service: any,
            now,
            leeway: shared.leeway,
        };
        claims
            .clone()
            .into_principal(&expected)
            .map_err(AuthError::InvalidToken)?;
        if now < claims.exp.saturating_add(shared.leeway) {
            Ok(claims)
        } else {
            Err(AuthError::Expired)
        }
    }

    /// Checks all that never changes about a token, and remembers it when it is good.
    fn verify_unseen(&self, token: &str, now: i64) -> Result<Principal, AuthError> {
        let shared = &*self.shared;
        let (claims, generation) = self.signed_claims(token)?;
        let expected = Expected {
            issuer: &shared.issuer,
            people: &shared.people,
            service: &shared.service,
            now,
            leeway: shared.leeway,
        };
        let principal = claims
            .into_principal(&expected)
            .map_err(AuthError::InvalidToken)?;
        if now < principal.expires_at().saturating_add(shared.leeway) {
            let verified = Verified {
                principal: principal.clone(),
                generation,
            };
            shared.verified.insert(Text(token.into()), verified);
        }
        Ok(principal)
    }

    /// What a token says that was signed with one of the keys, and which generation of them.
    fn signed_claims(&self, token: &str) -> Result<(Claims, u64), AuthError> {
        let shared = &*self.shared;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthError::InvalidToken(TokenFault::TooLong));
        }
        let parts = Parts::split(token).map_err(AuthError::InvalidToken)?;
        parts.header.check().map_err(AuthError::InvalidToken)?;
        let (generation, keys) = shared.keys.current();
        let Some(key) = keys.find(parts.header.kid.as_deref()) else {
            let loaded = shared.keys.is_loaded();
            return Err(if loaded {
                AuthError::InvalidToken(TokenFault::UnknownKey)
            } else {
                AuthError::KeysUnavailable
            });
        };
        if !parts.header.names(key.algorithm) {
            return Err(AuthError::InvalidToken(TokenFault::Algorithm));
        }
        if !key.verifies(parts.signed, parts.signature) {
            return Err(AuthError::InvalidToken(TokenFault::Signature));
        }
        Ok((parts.claims().map_err(AuthError::InvalidToken)?, generation))
    }

    /// Whether there are keys to verify with, so that the service may call itself ready.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        self.shared.keys.is_loaded()
    }

    /// What was taken back, as this verifier knows it.
    #[must_use]
    pub fn revocations(&self) -> &Revocations {
        &self.shared.revocations
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Issuer;

    fn remembering(issuer: &Issuer, bytes: u64) -> Verifier {
        Verifier::builder("a", issuer.issuer(), Keys::fixed(issuer.key_set()))
            .clock(issuer.clock().clone())
            .cache_bytes(bytes)
            .build()
    }

    #[test]
    fn a_good_token_is_remembered_and_a_bad_one_is_not() {
        let issuer = Issuer::new("a");
        let verifier = remembering(&issuer, 1_000_000);
        let cache = &verifier.shared.verified;
        for bad in [
            issuer.as_user().signed_by_a_stranger(),
            issuer.as_user().wrong_audience(),
            issuer.as_user().expired(),
            issuer.as_user().with(|_, claims| claims.nbf = Some(i64::MAX)),
        ] {
            assert!(verifier.verify_with_held_keys(&bad.token()).is_err());
            assert_eq!(cache.len(), 0);
        }
        let good = issuer.as_user().token();
        for _ in 0..2 {
            assert!(verifier.verify_with_held_keys(&good).is_ok());
            assert_eq!(cache.len(), 1);
        }
    }

    #[test]
    fn an_issuer_reads_tokens_for_others_but_no_bad_ones() {
        let issuer = Issuer::new("a");
        let verifier = remembering(&issuer, 1_000_000);
        let read = |bearer: &crate::testing::TestToken| verifier.claims_for_any_audience(&bearer.token());
        let invalid = |fault| Err(AuthError::InvalidToken(fault));
        for good in [
            issuer.as_user(),
            issuer.as_service("b"),
            issuer.as_service("b").wrong_audience(),
        ] {
            assert_eq!(read(&good).as_ref(), Ok(good.claims()));
        }
        assert_eq!(verifier.shared.verified.len(), 0, "nobody comes in by it");

        assert_eq!(
            read(&issuer.as_user().wrong_audience()),
            invalid(TokenFault::Audience)
        );
        let for_nobody = issuer.as_service("b").with(|_, claims| claims.aud.clear());
        assert_eq!(read(&for_nobody), invalid(TokenFault::Audience));
        assert_eq!(
            read(&issuer.as_service("b").signed_by_a_stranger()),
            invalid(TokenFault::Signature)
        );
        let elsewhere = issuer
            .as_user()
            .with(|_, claims| claims.iss = "http://elsewhere".to_owned());
        assert_eq!(read(&elsewhere), invalid(TokenFault::Issuer));
        let both = issuer
            .as_service("b")
            .with(|_, claims| claims.roles = Some(Vec::new()));
        assert_eq!(read(&both), invalid(TokenFault::Claims));
        // As long as verifiers take it.
        let ends = |seconds| {
            issuer
                .as_user()
                .with(|_, claims| claims.exp = issuer.clock().unix() + seconds)
        };
        assert!(read(&ends(-29)).is_ok());
        assert_eq!(read(&ends(-30)), Err(AuthError::Expired));
        let long = "a".repeat(MAX_TOKEN_BYTES + 1);
        assert_eq!(
            verifier.claims_for_any_audience(&long),
            invalid(TokenFault::TooLong)
        );
    }

    #[test]
    fn a_token_that_was_seen_lends_its_end_to_no_other() {
        let issuer = Issuer::new("a");
        let verifier = remembering(&issuer, 1_000_000);
        let token = issuer.as_user().token();
        assert!(verifier.verify_with_held_keys(&token).is_ok());
        let other = issuer.as_admin().token();
        let [(head, _), (other_head, signature)] =
            [&other, &token].map(|token| token.rsplit_once('.').unwrap());
        assert_ne!(head, other_head);
        let forged = format!("{head}.{signature}");
        let refused = Err(AuthError::InvalidToken(TokenFault::Signature));
        assert_eq!(verifier.verify_with_held_keys(&forged), refused);
        assert_eq!(verifier.shared.verified.len(), 1);
        assert!(verifier.verify_with_held_keys(&token).is_ok());
    }

    #[test]
    fn what_is_remembered_counts_only_for_the_key_set_it_was_verified_with() {
        let issuer = Issuer::new("a");
        let verifier = remembering(&issuer, 1_000_000);
        let remember = |generation| {
            let principal = Principal::User(issuer.as_user().principal());
            verifier.shared.verified.insert(
                Text("a text".into()),
                Verified {
                    principal,
                    generation,
                },
            );
            verifier.verify_with_held_keys("a text").is_ok()
        };
        let generation = verifier.shared.keys.generation();
        assert!(remember(generation));
        assert!(!remember(generation - 1));
        assert!(!remember(generation + 1));
    }

    #[test]
    fn memory_stays_bounded_however_many_tokens_come() {
        const BYTES: u64 = 64 * 1024;
        let issuer = Issuer::new("a");
        let verifier = remembering(&issuer, BYTES);
        let cache = &verifier.shared.verified;
        let tokens: Vec<String> = (0..300).map(|_| issuer.as_user().token()).collect();
        for token in &tokens {
            assert!(verifier.verify_with_held_keys(token).is_ok());
            // Of what is remembered, text and claims are what its size depends on.
            let held = cache.iter().map(|(text, _)| 2 * text.0.len() as u64).sum::<u64>();
            assert!(held <= BYTES, "{held}");
        }
        assert!(
            cache.len() > 10,
            "a cache that holds nothing is bounded too: {}",
            cache.len()
        );
        assert!(
            tokens.iter().map(String::len).sum::<usize>() as u64 > 2 * BYTES,
            "more than fits"
        );
        assert!(
            tokens
                .iter()
                .all(|token| verifier.verify_with_held_keys(token).is_ok())
        );
    }
}
