//! The verifier: decides whether a token is valid now, for this service, and which principal it identifies.

use std::sync::Arc;

use crate::claims::Claims;
use crate::clock::Clock;
use crate::error::{AuthError, TokenFault};
use crate::keys::{Keys, RefetchReason};
use crate::principal::Principal;
use crate::revocations::Revocations;
use crate::token::Parts;
use crate::token_cache::TokenCache;

/// The maximum length of a token, in bytes. Longer tokens are refused.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Verifies access tokens and service tokens. Build one at startup; clones share keys, cache and revocations.
///
/// A new token is checked in this order: length, header, key, signature, claims. A token that was verified before is found in a
/// cache by its text, and its signature is not checked again. Expiry and revocation are checked on every call.
#[derive(Clone, Debug)]
pub struct Verifier {
    state: Arc<VerifierState>,
}

/// The settings and data that all clones of a verifier share.
#[derive(Debug)]
pub(crate) struct VerifierState {
    pub issuer: String,
    pub user_audience: String,
    pub service_audience: String,
    /// In seconds.
    pub leeway: i64,
    pub clock: Clock,
    pub keys: Keys,
    pub revocations: Revocations,
    pub cache: TokenCache,
}

impl Verifier {
    pub(crate) fn new(state: VerifierState) -> Self {
        Self {
            state: Arc::new(state),
        }
    }

    /// Verifies a token. If the token's key is unknown, waits for a refetch of the key set, at most once per
    /// [`RemoteKeys::unknown_key_cooldown`](crate::RemoteKeys::unknown_key_cooldown).
    ///
    /// # Errors
    /// - [`AuthError::InvalidToken`], [`Expired`](AuthError::Expired) or [`Revoked`](AuthError::Revoked) if the token is not
    ///   accepted.
    /// - [`KeysUnavailable`](AuthError::KeysUnavailable) or [`RevocationUnknown`](AuthError::RevocationUnknown) if this verifier
    ///   can't decide.
    pub async fn verify(&self, token: &str) -> Result<Principal, AuthError> {
        self.verify_bytes(token.as_bytes()).await
    }

    /// The same as [`verify`](Self::verify), for bytes that need not be UTF-8. Only a token that is not cached is checked for
    /// UTF-8.
    pub(crate) async fn verify_bytes(&self, token: &[u8]) -> Result<Principal, AuthError> {
        let generation = self.state.keys.generation();
        let outcome = self.verify_bytes_with_current_keys(token);

        let lacks_key = matches!(
            outcome,
            Err(AuthError::InvalidToken(TokenFault::UnknownKey) | AuthError::KeysUnavailable)
        );
        if !lacks_key {
            return outcome;
        }

        self.state.keys.refetch(RefetchReason::UnknownKey).await;
        if self.state.keys.generation() == generation {
            outcome
        } else {
            self.verify_bytes_with_current_keys(token)
        }
    }

    /// Verifies a token with the current key set, without waiting.
    ///
    /// # Errors
    /// The same as for [`verify`](Self::verify).
    pub fn verify_with_current_keys(&self, token: &str) -> Result<Principal, AuthError> {
        self.verify_bytes_with_current_keys(token.as_bytes())
    }

    fn verify_bytes_with_current_keys(&self, token: &[u8]) -> Result<Principal, AuthError> {
        let state = &*self.state;
        let now = state.clock.unix();
        let principal = match state.cache.get(token, state.keys.generation()) {
            Some(principal) => {
                state.check_expiry(principal.expires_at(), now)?;
                principal
            }
            None => self.verify_uncached(token, now)?,
        };
        if let Principal::User(user) = &principal {
            state.revocations.check(user, now)?;
        }
        Ok(principal)
    }

    /// Verifies form, signature, issuer and times of a token, and returns its claims. **Checks neither audience nor revocation**,
    /// so the result doesn't authenticate a caller.
    ///
    /// An authorization server needs this to introspect or revoke a token that it issued for another service (RFC 7662, RFC 7009).
    /// The server checks revocation in its own database.
    ///
    /// # Errors
    /// The same as for [`verify`](Self::verify), except for revocation.
    pub fn verify_claims(&self, token: &str) -> Result<Claims, AuthError> {
        let state = &*self.state;
        let now = state.clock.unix();
        let (claims, _) = self.signed_claims(token.as_bytes())?;

        state.check_issuer_and_nbf(&claims, now)?;
        claims.clone().into_principal().map_err(AuthError::InvalidToken)?;
        state.check_expiry(claims.exp, now)?;
        Ok(claims)
    }

    /// Verifies a token except for revocation. Caches the token if it is valid.
    fn verify_uncached(&self, token: &[u8], now: i64) -> Result<Principal, AuthError> {
        let state = &*self.state;
        let (claims, generation) = self.signed_claims(token)?;

        state.check_issuer_and_nbf(&claims, now)?;
        let audience = if claims.is_service() {
            &state.service_audience
        } else {
            &state.user_audience
        };
        if !claims.is_for(audience) {
            return Err(AuthError::InvalidToken(TokenFault::Audience));
        }
        let principal = claims.into_principal().map_err(AuthError::InvalidToken)?;
        state.check_expiry(principal.expires_at(), now)?;

        state.cache.insert(token, principal.clone(), generation);
        Ok(principal)
    }

    /// Verifies form and signature. Returns the claims and the generation of the key set that verified them.
    fn signed_claims(&self, token: &[u8]) -> Result<(Claims, u64), AuthError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthError::InvalidToken(TokenFault::TooLong));
        }
        let token = std::str::from_utf8(token).map_err(|_| AuthError::InvalidToken(TokenFault::Malformed))?;
        let parts = Parts::parse(token).map_err(AuthError::InvalidToken)?;
        parts.header.check().map_err(AuthError::InvalidToken)?;

        let current = self.state.keys.current();
        let Some(key) = current.set.find(parts.header.kid.as_deref()) else {
            return Err(if current.set.is_empty() {
                AuthError::KeysUnavailable
            } else {
                AuthError::InvalidToken(TokenFault::UnknownKey)
            });
        };
        if !parts.header.has_algorithm(key.algorithm) {
            return Err(AuthError::InvalidToken(TokenFault::Algorithm));
        }
        if !key.verifies(parts.signing_input, parts.signature) {
            return Err(AuthError::InvalidToken(TokenFault::Signature));
        }
        let claims = parts.claims().map_err(AuthError::InvalidToken)?;
        Ok((claims, current.generation))
    }

    /// Whether there are keys to verify with. A service without keys is not ready.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        self.state.keys.is_loaded()
    }

    /// The revocation set that this verifier checks.
    #[must_use]
    pub fn revocations(&self) -> &Revocations {
        &self.state.revocations
    }
}

impl VerifierState {
    fn check_expiry(&self, expires_at: i64, now: i64) -> Result<(), AuthError> {
        if now < expires_at.saturating_add(self.leeway) {
            Ok(())
        } else {
            Err(AuthError::Expired)
        }
    }

    fn check_issuer_and_nbf(&self, claims: &Claims, now: i64) -> Result<(), AuthError> {
        if claims.iss != self.issuer {
            return Err(AuthError::InvalidToken(TokenFault::Issuer));
        }
        let latest_nbf = now.saturating_add(self.leeway);
        if claims.nbf.is_some_and(|nbf| nbf > latest_nbf) {
            return Err(AuthError::InvalidToken(TokenFault::NotYetValid));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Issuer, TestToken};

    #[test]
    fn a_valid_token_is_cached_and_an_invalid_one_is_not() {
        let issuer = Issuer::new("a");
        let verifier = issuer.verifier();
        let cache = &verifier.state.cache;

        for bad in [
            issuer.as_user().signed_by_a_stranger(),
            issuer.as_user().wrong_audience(),
            issuer.as_user().expired(),
            issuer.as_user().with(|_, claims| claims.nbf = Some(i64::MAX)),
            issuer.as_user().with(|_, claims| claims.jti.clear()),
        ] {
            assert!(verifier.verify_with_current_keys(&bad.token()).is_err());
            assert_eq!(cache.len(), 0);
        }

        let good = issuer.as_user().token();
        for _ in 0..2 {
            assert!(verifier.verify_with_current_keys(&good).is_ok());
            assert_eq!(cache.len(), 1);
        }
    }

    #[test]
    fn a_forged_token_with_the_signature_of_a_cached_one_is_refused() {
        let issuer = Issuer::new("a");
        let verifier = issuer.verifier();
        let token = issuer.as_user().token();
        assert!(verifier.verify_with_current_keys(&token).is_ok());

        let other = issuer.as_admin().token();
        let (_, signature) = token.rsplit_once('.').unwrap();
        let (other_head, _) = other.rsplit_once('.').unwrap();
        let forged = format!("{other_head}.{signature}");

        let refused = Err(AuthError::InvalidToken(TokenFault::Signature));
        assert_eq!(verifier.verify_with_current_keys(&forged), refused);
        assert_eq!(verifier.state.cache.len(), 1);
        assert!(verifier.verify_with_current_keys(&token).is_ok());
    }

    #[test]
    fn claims_are_returned_for_any_audience_and_nothing_is_cached() {
        let issuer = Issuer::new("a");
        let verifier = issuer.verifier();
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
        assert_eq!(verifier.state.cache.len(), 0);
    }

    #[test]
    fn claims_of_an_invalid_token_are_not_returned() {
        let issuer = Issuer::new("a");
        let verifier = issuer.verifier();
        let another_issuer = "http://elsewhere".to_owned();

        for (bad, fault) in [
            (
                issuer.as_service("b").signed_by_a_stranger(),
                TokenFault::Signature,
            ),
            (
                issuer.as_user().with(|_, claims| claims.iss = another_issuer),
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

        // The leeway is the same as in `verify`.
        let claims_expiring_in = |seconds: i64| {
            let token = issuer
                .as_user()
                .with(|_, claims| claims.exp = claims.iat + seconds);
            verifier.verify_claims(&token.token())
        };
        assert!(claims_expiring_in(-29).is_ok());
        assert_eq!(claims_expiring_in(-30), Err(AuthError::Expired));
    }
}
