//! The verifier: decides whether a token is valid now, for this service, and which principal it identifies.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::claims::Claims;
use crate::clock::Clock;
use crate::error::{AuthError, TokenFault};
use crate::keys::{Keys, Refetch};
use crate::principal::Principal;
use crate::revocation::Revocations;
use crate::token::Parts;
use crate::token_cache::TokenCache;

/// The length of the longest token that is accepted, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The largest [leeway](VerifierBuilder::leeway) that a verifier can have: 60 seconds.
///
/// A [`Revocation`](crate::Revocation) that is kept until this long after the token's `exp` therefore never ends while a
/// verifier still accepts the token.
pub const MAX_LEEWAY: TimeDelta = TimeDelta::seconds(60);

/// The leeway of a verifier whose builder sets none.
pub(crate) const DEFAULT_LEEWAY: TimeDelta = TimeDelta::seconds(30);

/// Verifies access tokens and service tokens. Build one at startup; clones share keys, cache and revocations.
///
/// A new token is checked in this order: length, header, key, signature, claims. A token that was verified before is found
/// in a cache, which costs a comparison of its text. Expiry and revocation are checked on every call.
#[derive(Clone, Debug)]
pub struct Verifier {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    issuer: String,
    user_audience: String,
    service_audience: String,
    leeway: i64,
    clock: Clock,
    keys: Keys,
    revocations: Revocations,
    cache: TokenCache,
}

/// Builds a [`Verifier`].
#[derive(Debug)]
pub struct VerifierBuilder {
    issuer: String,
    user_audience: String,
    service_audience: String,
    leeway: TimeDelta,
    clock: Clock,
    keys: Keys,
    revocations: Option<Revocations>,
    cache_bytes: u64,
}

impl VerifierBuilder {
    /// The audience of users' tokens. Defaults to `platform`.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.user_audience = audience.into();
        self
    }

    /// How far the clocks of issuer and verifier may differ: a token is accepted until this long after its `exp`, and from
    /// this long before its `nbf`. Defaults to 30 seconds. More than [`MAX_LEEWAY`] counts as [`MAX_LEEWAY`], less than zero as
    /// zero, in whole seconds.
    #[must_use]
    pub fn leeway(mut self, leeway: TimeDelta) -> Self {
        self.leeway = leeway.clamp(TimeDelta::zero(), MAX_LEEWAY);
        self
    }

    /// The clock. Defaults to the system clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The revocation set. Defaults to a new, empty one.
    #[must_use]
    pub fn revocations(mut self, revocations: Revocations) -> Self {
        self.revocations = Some(revocations);
        self
    }

    /// The maximum size of the cache of verified tokens, in bytes. Defaults to 24 MiB, about 15,000 tokens.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Builds the verifier.
    #[must_use]
    pub fn build(self) -> Verifier {
        let revocations = self
            .revocations
            .unwrap_or_else(|| Revocations::new(self.clock.clone(), Revocations::DEFAULT_CAPACITY));
        Verifier {
            shared: Arc::new(Shared {
                issuer: self.issuer,
                user_audience: self.user_audience,
                service_audience: self.service_audience,
                leeway: self.leeway.num_seconds(),
                clock: self.clock,
                keys: self.keys,
                revocations,
                cache: TokenCache::new(self.cache_bytes),
            }),
        }
    }
}

impl Verifier {
    /// Starts to build a verifier for the service of this name. It accepts tokens that `issuer` signed with one of `keys`;
    /// service tokens must have `service` as their audience.
    #[must_use]
    pub fn builder(service: impl Into<String>, issuer: impl Into<String>, keys: Keys) -> VerifierBuilder {
        VerifierBuilder {
            issuer: issuer.into(),
            user_audience: "platform".to_owned(),
            service_audience: service.into(),
            leeway: DEFAULT_LEEWAY,
            clock: Clock::system(),
            keys,
            revocations: None,
            cache_bytes: 24 * 1024 * 1024,
        }
    }

    /// Verifies a token. Waits only for a refetch of the key set when the key is unknown, at most once per
    /// [`RemoteKeys::unknown_key_pause`](crate::RemoteKeys::unknown_key_pause).
    ///
    /// # Errors
    /// [`AuthError::InvalidToken`], [`Expired`](AuthError::Expired) or [`Revoked`](AuthError::Revoked) for a bad token;
    /// [`KeysUnavailable`](AuthError::KeysUnavailable) or [`RevocationUnknown`](AuthError::RevocationUnknown) if this verifier
    /// can't judge it.
    pub async fn verify(&self, token: &str) -> Result<Principal, AuthError> {
        let generation = self.shared.keys.generation();
        let outcome = self.verify_with_held_keys(token);

        let lacks_key = matches!(
            outcome,
            Err(AuthError::InvalidToken(TokenFault::UnknownKey) | AuthError::KeysUnavailable)
        );
        if !lacks_key {
            return outcome;
        }

        self.shared.keys.refetch(Refetch::UnknownKey).await;
        if self.shared.keys.generation() == generation {
            outcome
        } else {
            self.verify_with_held_keys(token)
        }
    }

    /// Verifies a token with the current key set, without waiting.
    ///
    /// # Errors
    /// The same as for [`verify`](Self::verify).
    pub fn verify_with_held_keys(&self, token: &str) -> Result<Principal, AuthError> {
        let shared = &*self.shared;
        let now = shared.clock.unix();
        let principal = match shared.cache.get(token, shared.keys.generation()) {
            Some(principal) => {
                shared.check_expiry(principal.expires_at(), now)?;
                principal
            }
            None => self.verify_uncached(token, now)?,
        };
        if let Principal::User(user) = &principal {
            shared.revocations.check(user, now)?;
        }
        Ok(principal)
    }

    /// Verifies form, signature, issuer and times of a token, and returns its claims. **Checks neither audience nor
    /// revocation**, so the result doesn't authenticate a caller: it is for an authorization server that is asked about
    /// tokens that it issued for others (RFC 7662, RFC 7009) and knows its revocations itself.
    ///
    /// # Errors
    /// The same as for [`verify`](Self::verify), except for revocation.
    pub fn verify_claims(&self, token: &str) -> Result<Claims, AuthError> {
        let shared = &*self.shared;
        let now = shared.clock.unix();
        let (claims, _) = self.signed_claims(token)?;

        shared.check_issuer_and_start(&claims, now)?;
        claims.clone().into_principal().map_err(AuthError::InvalidToken)?;
        shared.check_expiry(claims.exp, now)?;
        Ok(claims)
    }

    /// Verifies everything but revocation, and caches the token if it is valid.
    fn verify_uncached(&self, token: &str, now: i64) -> Result<Principal, AuthError> {
        let shared = &*self.shared;
        let (claims, generation) = self.signed_claims(token)?;

        shared.check_issuer_and_start(&claims, now)?;
        let audience = if claims.is_service() {
            &shared.service_audience
        } else {
            &shared.user_audience
        };
        if !claims.is_for(audience) {
            return Err(AuthError::InvalidToken(TokenFault::Audience));
        }
        let principal = claims.into_principal().map_err(AuthError::InvalidToken)?;
        shared.check_expiry(principal.expires_at(), now)?;

        shared.cache.insert(token, principal.clone(), generation);
        Ok(principal)
    }

    /// Verifies form and signature. Returns the claims and the generation of the key set that verified them.
    fn signed_claims(&self, token: &str) -> Result<(Claims, u64), AuthError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthError::InvalidToken(TokenFault::TooLong));
        }
        let parts = Parts::parse(token).map_err(AuthError::InvalidToken)?;
        parts.header.check().map_err(AuthError::InvalidToken)?;

        let (generation, keys) = self.shared.keys.current();
        let Some(key) = keys.find(parts.header.kid.as_deref()) else {
            return Err(if self.has_keys() {
                AuthError::InvalidToken(TokenFault::UnknownKey)
            } else {
                AuthError::KeysUnavailable
            });
        };
        if !parts.header.has_algorithm(key.algorithm) {
            return Err(AuthError::InvalidToken(TokenFault::Algorithm));
        }
        if !key.verifies(parts.signed, parts.signature) {
            return Err(AuthError::InvalidToken(TokenFault::Signature));
        }
        let claims = parts.claims().map_err(AuthError::InvalidToken)?;
        Ok((claims, generation))
    }

    /// Whether there are keys to verify with. A service without keys is not ready.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        self.shared.keys.is_loaded()
    }

    /// The revocation set that this verifier checks.
    #[must_use]
    pub fn revocations(&self) -> &Revocations {
        &self.shared.revocations
    }
}

impl Shared {
    fn check_expiry(&self, expires_at: i64, now: i64) -> Result<(), AuthError> {
        if now < expires_at.saturating_add(self.leeway) {
            Ok(())
        } else {
            Err(AuthError::Expired)
        }
    }

    fn check_issuer_and_start(&self, claims: &Claims, now: i64) -> Result<(), AuthError> {
        if claims.iss != self.issuer {
            return Err(AuthError::InvalidToken(TokenFault::Issuer));
        }
        let latest_start = now.saturating_add(self.leeway);
        if claims.nbf.is_some_and(|nbf| nbf > latest_start) {
            return Err(AuthError::InvalidToken(TokenFault::NotYetValid));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revocation::Revocation;
    use crate::testing::{Issuer, TestToken};

    fn builder(issuer: &Issuer) -> VerifierBuilder {
        Verifier::builder("a", issuer.issuer(), Keys::fixed(issuer.key_set()))
            .clock(issuer.clock().clone())
            .revocations(issuer.revocations().clone())
    }

    fn with_expiry_in(token: TestToken, seconds: i64) -> TestToken {
        token.with(|_, claims| claims.exp = claims.iat + seconds)
    }

    #[test]
    fn a_valid_token_is_cached_and_an_invalid_one_is_not() {
        let issuer = Issuer::new("a");
        let verifier = builder(&issuer).build();
        let cache = &verifier.shared.cache;

        for bad in [
            issuer.as_user().signed_by_a_stranger(),
            issuer.as_user().wrong_audience(),
            issuer.as_user().expired(),
            issuer.as_user().with(|_, claims| claims.nbf = Some(i64::MAX)),
            issuer.as_user().with(|_, claims| claims.jti.clear()),
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
    fn a_forged_token_with_the_signature_of_a_cached_one_is_refused() {
        let issuer = Issuer::new("a");
        let verifier = builder(&issuer).build();
        let token = issuer.as_user().token();
        assert!(verifier.verify_with_held_keys(&token).is_ok());

        let other = issuer.as_admin().token();
        let (_, signature) = token.rsplit_once('.').unwrap();
        let (other_head, _) = other.rsplit_once('.').unwrap();
        let forged = format!("{other_head}.{signature}");

        let refused = Err(AuthError::InvalidToken(TokenFault::Signature));
        assert_eq!(verifier.verify_with_held_keys(&forged), refused);
        assert_eq!(verifier.shared.cache.len(), 1);
        assert!(verifier.verify_with_held_keys(&token).is_ok());
    }

    #[test]
    fn claims_are_returned_for_any_audience_and_nothing_is_cached() {
        let issuer = Issuer::new("a");
        let verifier = builder(&issuer).build();
        let claims = |token: &TestToken| verifier.verify_claims(&token.token());

        for good in [
            issuer.as_user(),
            issuer.as_service("b"),
            issuer.as_user().wrong_audience(),
            issuer.as_service("b").wrong_audience(),
            issuer.as_service("b").with(|_, claims| claims.aud.clear()),
            issuer.as_user().revoked(),
        ] {
            assert_eq!(claims(&good).as_ref(), Ok(good.claims()));
        }
        assert_eq!(verifier.shared.cache.len(), 0);
    }

    #[test]
    fn claims_of_an_invalid_token_are_not_returned() {
        let issuer = Issuer::new("a");
        let verifier = builder(&issuer).build();
        let elsewhere = "http://elsewhere".to_owned();

        for (bad, fault) in [
            (
                issuer.as_service("b").signed_by_a_stranger(),
                TokenFault::Signature,
            ),
            (
                issuer.as_user().with(|_, claims| claims.iss = elsewhere),
                TokenFault::Issuer,
            ),
            (
                issuer.as_user().with(|_, claims| claims.nbf = Some(i64::MAX)),
                TokenFault::NotYetValid,
            ),
            (
                issuer
                    .as_service("b")
                    .with(|_, claims| claims.roles = Some(Vec::new())),
                TokenFault::Claims,
            ),
            (
                issuer.as_service("b").with(|_, claims| claims.jti.clear()),
                TokenFault::Claims,
            ),
        ] {
            let refused = Err(AuthError::InvalidToken(fault));
            assert_eq!(verifier.verify_claims(&bad.token()), refused);
        }

        let long = "a".repeat(MAX_TOKEN_BYTES + 1);
        let too_long = Err(AuthError::InvalidToken(TokenFault::TooLong));
        assert_eq!(verifier.verify_claims(&long), too_long);

        // The leeway is the same as for callers.
        let claims = |token: TestToken| verifier.verify_claims(&token.token());
        assert!(claims(with_expiry_in(issuer.as_user(), -29)).is_ok());
        assert_eq!(
            claims(with_expiry_in(issuer.as_user(), -30)),
            Err(AuthError::Expired)
        );
    }

    #[test]
    fn a_leeway_outside_its_bounds_is_clamped() {
        let issuer = Issuer::new("a");
        for (leeway, seconds) in [
            (TimeDelta::MAX, 60),
            (TimeDelta::seconds(61), 60),
            (MAX_LEEWAY, 60),
            (TimeDelta::seconds(5), 5),
            (TimeDelta::zero(), 0),
            (TimeDelta::seconds(-5), 0),
            (TimeDelta::MIN, 0),
        ] {
            let verifier = builder(&issuer).leeway(leeway).build();
            let verify = |token: TestToken| verifier.verify_with_held_keys(&token.token());

            assert!(
                verify(with_expiry_in(issuer.as_user(), 1 - seconds)).is_ok(),
                "{leeway}"
            );
            assert_eq!(
                verify(with_expiry_in(issuer.as_user(), -seconds)),
                Err(AuthError::Expired),
                "{leeway}"
            );
        }
    }

    #[test]
    fn a_revoked_token_is_refused_until_it_expires_at_any_leeway() {
        for leeway in [DEFAULT_LEEWAY, MAX_LEEWAY, TimeDelta::hours(1)] {
            let issuer = Issuer::new("a");
            let verifier = builder(&issuer).leeway(leeway).build();
            let ada = issuer.as_user();
            let token = ada.token();
            issuer.revocations().apply(Revocation::Session {
                id: ada.claims().sid.unwrap(),
                expires_at: ada.claims().exp + MAX_LEEWAY.num_seconds(),
            });

            let last_second = ada.claims().exp + leeway.min(MAX_LEEWAY).num_seconds() - 1;
            issuer
                .clock()
                .advance(TimeDelta::seconds(last_second - issuer.clock().unix()));
            // As on a replica that drops expired revocations.
            issuer.revocations().replace_all([Revocation::Session {
                id: ada.claims().sid.unwrap(),
                expires_at: ada.claims().exp + MAX_LEEWAY.num_seconds(),
            }]);
            assert_eq!(verifier.verify_with_held_keys(&token), Err(AuthError::Revoked));

            issuer.clock().advance(TimeDelta::seconds(1));
            assert_eq!(verifier.verify_with_held_keys(&token), Err(AuthError::Expired));
        }
    }
}
