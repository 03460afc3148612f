//! Verifies the tokens of one type and one issuer: decides whether a token is valid now, for this service, and which principal it
//! identifies.

use crate::claims::Claims;
use crate::clock::Clock;
use crate::error::{AuthError, TokenFault};
use crate::freshness::Knowledge;
use crate::keys::{Keys, RefetchReason};
use crate::principal::Principal;
use crate::revocations::Revocations;
use crate::token::{Parts, TokenType};
use crate::token_cache::TokenCache;

/// The maximum length of a token, in bytes. Longer tokens are refused.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Verifies the tokens of one type and one issuer.
#[derive(Debug)]
pub(crate) struct TokenVerifier {
    pub token_type: TokenType,
    pub issuer: String,
    /// The audience of users' tokens. `None` if they are refused.
    pub user_audience: Option<String>,
    /// The audience of service tokens. `None` if they are refused.
    pub service_audience: Option<String>,
    /// In seconds.
    pub leeway: i64,
    pub clock: Clock,
    pub keys: Keys,
    pub revocations: Revocations,
    pub cache: TokenCache,
}

/// A valid token's principal, and what is known about the token's revocation.
pub(crate) struct Verified {
    pub principal: Principal,
    /// Never [`Knowledge::Revoked`].
    pub knowledge: Knowledge,
}

impl TokenVerifier {
    /// Verifies a token, which need not be UTF-8. If the token's key is unknown, waits for a refetch of the key set. Only a token
    /// that is not cached is checked for UTF-8.
    pub async fn verify(&self, token: &[u8]) -> Result<Verified, AuthError> {
        let generation = self.keys.generation();
        let outcome = self.verify_with_current_keys(token);

        let lacks_key = matches!(
            outcome,
            Err(AuthError::InvalidToken(TokenFault::UnknownKey) | AuthError::KeysUnavailable)
        );
        if !lacks_key {
            return outcome;
        }

        self.keys.refetch(RefetchReason::UnknownKey).await;
        if self.keys.generation() == generation {
            outcome
        } else {
            self.verify_with_current_keys(token)
        }
    }

    /// Verifies a token with the current key set, without waiting.
    pub fn verify_with_current_keys(&self, token: &[u8]) -> Result<Verified, AuthError> {
        let now = self.clock.unix();
        let generation = self.keys.generation() + self.revocations.key_revocations();
        let principal = match self.cache.get(token, generation) {
            Some(principal) => {
                self.check_expiry(principal.expires_at(), now)?;
                principal
            }
            None => self.verify_uncached(token, now)?,
        };
        let knowledge = match &principal {
            Principal::User(user) => self.revocations.check(user, now),
            // A single service token can't be revoked.
            Principal::Service(_) => Knowledge::NotRevoked,
        };
        if knowledge == Knowledge::Revoked {
            return Err(AuthError::Revoked);
        }
        Ok(Verified { principal, knowledge })
    }

    /// Verifies form, signature, issuer and times of a token, and returns its claims. Checks neither audience nor revocation.
    pub fn verify_claims(&self, token: &[u8]) -> Result<Claims, AuthError> {
        let now = self.clock.unix();
        let (claims, _) = self.signed_claims(token)?;

        self.check_issuer_and_nbf(&claims, now)?;
        claims.clone().into_principal().map_err(AuthError::InvalidToken)?;
        self.check_expiry(claims.exp, now)?;
        Ok(claims)
    }

    /// Verifies a token except for revocation. Caches the token if it is valid.
    fn verify_uncached(&self, token: &[u8], now: i64) -> Result<Principal, AuthError> {
        let (claims, generation) = self.signed_claims(token)?;

        self.check_issuer_and_nbf(&claims, now)?;
        self.check_audience(&claims).map_err(AuthError::InvalidToken)?;
        let principal = claims.into_principal().map_err(AuthError::InvalidToken)?;
        self.check_expiry(principal.expires_at(), now)?;

        self.cache.insert(token, principal.clone(), generation);
        Ok(principal)
    }

    /// Verifies form and signature. Returns the claims and the generation of the keys that verified them: the sum of the key set's
    /// generation and the number of key revocations. Neither ever decreases, so the sum stands for one state of both.
    fn signed_claims(&self, token: &[u8]) -> Result<(Claims, u64), AuthError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthError::InvalidToken(TokenFault::TooLong));
        }
        let token = std::str::from_utf8(token).map_err(|_| AuthError::InvalidToken(TokenFault::Malformed))?;
        let parts = Parts::parse(token).map_err(AuthError::InvalidToken)?;
        parts
            .header
            .check(self.token_type)
            .map_err(AuthError::InvalidToken)?;

        // Read before the key is looked up: see `Revocations::key_revocations`.
        let key_revocations = self.revocations.key_revocations();
        if let Some(kid) = &parts.header.kid
            && self.revocations.revokes_key(kid)
        {
            return Err(AuthError::Revoked);
        }
        let current = self.keys.current();
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
        Ok((claims, current.generation + key_revocations))
    }

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

    fn check_audience(&self, claims: &Claims) -> Result<(), TokenFault> {
        let audience = if claims.is_service() {
            &self.service_audience
        } else {
            &self.user_audience
        };
        match audience {
            Some(audience) if claims.is_for(audience) => Ok(()),
            Some(_) => Err(TokenFault::Audience),
            None => Err(TokenFault::Principal),
        }
    }
}
