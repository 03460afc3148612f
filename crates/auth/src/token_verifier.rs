//! Verifies tokens of one or more issuers: decides whether a token is valid now, for this service, and which principal it identifies.

use crate::claim_set::ClaimSet;
use crate::claims::Claims;
use crate::clock::Clock;
use crate::error::{AuthError, TokenFault};
use crate::freshness::Knowledge;
use crate::json_object;
use crate::keys::{Keys, RefetchReason};
use crate::principal::Principal;
use crate::profile::SignedClaims;
use crate::revocations::Revocations;
use crate::token::Parts;
use crate::token_cache::TokenCache;
use crate::trusted_issuer::TrustedIssuer;

/// The maximum length of a token, in bytes. Longer tokens are refused.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Verifies the tokens of these issuers.
#[derive(Debug)]
pub(crate) struct TokenVerifier {
    /// The first issuer.
    pub issuer: TrustedIssuer,
    pub more_issuers: Vec<TrustedIssuer>,
    /// In seconds.
    pub leeway: i64,
    pub clock: Clock,
    pub revocations: Revocations,
    pub cache: TokenCache,
}

/// A valid token's principal, and what is known about the token's revocation.
pub(crate) struct Verified {
    pub principal: Principal,
    /// Whether the first issuer issued the token.
    pub is_of_first_issuer: bool,
    /// Never [`Knowledge::Revoked`].
    pub knowledge: Knowledge,
}

/// Why a token is refused.
struct Refused {
    error: AuthError,
    /// The keys that lack the token's key, and their generation. A refetch may bring it.
    missing_key: Option<(Keys, u64)>,
}

impl From<AuthError> for Refused {
    fn from(error: AuthError) -> Self {
        Self {
            error,
            missing_key: None,
        }
    }
}

impl From<TokenFault> for Refused {
    fn from(fault: TokenFault) -> Self {
        AuthError::InvalidToken(fault).into()
    }
}

/// A token whose signature is verified.
struct SignedToken {
    payload: String,
    is_signed_with_secret: bool,
    /// The index of the issuer.
    issuer: usize,
    /// The generation of the keys that verified the token: the sum of the key set's generation and the number of key revocations.
    /// Neither ever decreases, so the sum stands for one state of both.
    generation: u64,
}

impl TokenVerifier {
    /// Verifies a token, which need not be UTF-8. If the token's key is unknown, waits for a refetch of the key set. Only a token
    /// that is not cached is checked for UTF-8.
    pub async fn verify(&self, token: &[u8]) -> Result<Verified, AuthError> {
        let refused = match self.try_verify(token) {
            Ok(verified) => return Ok(verified),
            Err(refused) => refused,
        };
        let Some((keys, generation)) = refused.missing_key else {
            return Err(refused.error);
        };
        keys.refetch(RefetchReason::UnknownKey).await;
        if keys.generation() == generation {
            Err(refused.error)
        } else {
            self.verify_with_current_keys(token)
        }
    }

    /// Verifies a token with the current key set, without waiting.
    pub fn verify_with_current_keys(&self, token: &[u8]) -> Result<Verified, AuthError> {
        self.try_verify(token).map_err(|refused| refused.error)
    }

    fn try_verify(&self, token: &[u8]) -> Result<Verified, Refused> {
        let now = self.clock.unix();
        let generation_of = |issuer: usize| {
            let keys = self.issuer_at(issuer).keys.generation();
            keys + self.revocations.key_revocations()
        };
        let (principal, issuer) = if let Some(cached) = self.cache.get(token, generation_of) {
            self.check_expiry(cached.0.expires_at(), now)?;
            cached
        } else {
            self.verify_uncached(token, now)?
        };
        let knowledge = match &principal {
            Principal::User(user) if issuer == 0 => self.revocations.check(user, now),
            Principal::User(user) => self.revocations.check_without_feed(user, now),
            // A single service token can't be revoked.
            Principal::Service(_) => Knowledge::NotRevoked,
        };
        if knowledge == Knowledge::Revoked {
            return Err(AuthError::Revoked.into());
        }
        Ok(Verified {
            principal,
            is_of_first_issuer: issuer == 0,
            knowledge,
        })
    }

    /// Verifies form, signature, issuer and times of a token of the first issuer, and returns its claims. Checks neither audience nor
    /// revocation.
    pub fn verify_claims(&self, token: &[u8]) -> Result<Claims, AuthError> {
        let now = self.clock.unix();
        let token = self.signature_of(token).map_err(|refused| refused.error)?;
        let signed = token.signed_claims().map_err(AuthError::InvalidToken)?;
        let check = || {
            if token.issuer != 0 {
                return Err(TokenFault::Issuer);
            }
            let expires_at = self.check_times_and_issuer(&signed, token.issuer, now)?;
            let issuer = &self.issuer;
            let is_service = issuer.profile.is_service(&signed.claims)?;
            issuer
                .profile
                .identify(&signed, is_service, &issuer.name, expires_at)?;
            let claims: Option<Claims> = json_object::parse_text(&token.payload);
            claims.ok_or(TokenFault::Malformed)
        };
        let claims = check().map_err(AuthError::InvalidToken)?;
        self.check_expiry(claims.exp, now)?;
        Ok(claims)
    }

    /// Verifies a token except for revocation. Caches the token if it is valid. Also returns the index of the issuer.
    fn verify_uncached(&self, token: &[u8], now: i64) -> Result<(Principal, usize), Refused> {
        let text = token;
        let token = self.signature_of(token)?;
        let signed = token.signed_claims()?;
        let issuer = self.issuer_at(token.issuer);

        let expires_at = self.check_times_and_issuer(&signed, token.issuer, now)?;
        let is_service = issuer.profile.is_service(&signed.claims)?;
        issuer.profile.check_audience(&signed, is_service)?;
        let principal = issuer
            .profile
            .identify(&signed, is_service, &issuer.name, expires_at)?;
        self.check_expiry(expires_at, now)?;

        self.cache
            .insert(text, principal.clone(), token.issuer, token.generation);
        Ok((principal, token.issuer))
    }

    /// Verifies form and signature.
    fn signature_of(&self, token: &[u8]) -> Result<SignedToken, Refused> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenFault::TooLong.into());
        }
        let token = std::str::from_utf8(token).map_err(|_| TokenFault::Malformed)?;
        let parts = Parts::parse(token)?;
        parts.header.check_critical()?;
        let index = self.find_issuer(&parts)?;
        let issuer = self.issuer_at(index);
        if !issuer.profile.takes_type(parts.header.typ.as_deref()) {
            return Err(TokenFault::Type.into());
        }

        // Read before the key is looked up: see `Revocations::key_revocations`.
        let key_revocations = self.revocations.key_revocations();
        if let Some(kid) = &parts.header.kid
            && self.revocations.revokes_key(kid)
        {
            return Err(AuthError::Revoked.into());
        }
        let current = issuer.keys.current();
        let Some(key) = current.set.find(parts.header.kid.as_deref()) else {
            let error = if current.set.is_empty() {
                AuthError::KeysUnavailable
            } else {
                AuthError::InvalidToken(TokenFault::UnknownKey)
            };
            return Err(Refused {
                error,
                missing_key: Some((issuer.keys.clone(), current.generation)),
            });
        };
        if !parts.header.has_algorithm(key.algorithm) {
            return Err(TokenFault::Algorithm.into());
        }
        if !key.verifies(parts.signing_input, parts.signature) {
            // A key without id can be replaced by another one without id.
            let may_be_outdated = current.set.has_sole_key();
            return Err(Refused {
                error: AuthError::InvalidToken(TokenFault::Signature),
                missing_key: may_be_outdated.then(|| (issuer.keys.clone(), current.generation)),
            });
        }
        Ok(SignedToken {
            payload: parts.payload()?,
            is_signed_with_secret: key.is_secret(),
            issuer: index,
            generation: current.generation + key_revocations,
        })
    }

    /// The index of the issuer whose keys have to verify a token. Its `iss`, which is not verified yet, chooses among several.
    fn find_issuer(&self, parts: &Parts<'_>) -> Result<usize, TokenFault> {
        if self.more_issuers.is_empty() {
            return Ok(0);
        }
        let payload = parts.payload()?;
        let iss = ClaimSet::parse(&payload)?.text("iss")?;
        let is_issuer = |issuer: &TrustedIssuer| match &iss {
            Some(iss) => issuer.profile.is_issuer(iss, &issuer.name),
            None => issuer.profile.allows_anonymous_issuer,
        };
        std::iter::once(&self.issuer)
            .chain(&self.more_issuers)
            .position(is_issuer)
            .ok_or(TokenFault::Issuer)
    }

    fn issuer_at(&self, index: usize) -> &TrustedIssuer {
        index
            .checked_sub(1)
            .and_then(|index| self.more_issuers.get(index))
            .unwrap_or(&self.issuer)
    }

    fn check_expiry(&self, expires_at: i64, now: i64) -> Result<(), AuthError> {
        if now < expires_at.saturating_add(self.leeway) {
            Ok(())
        } else {
            Err(AuthError::Expired)
        }
    }

    /// Checks `iss`, `nbf` and the required claims. Returns `exp`, which is not checked.
    fn check_times_and_issuer(
        &self,
        signed: &SignedClaims<'_>,
        issuer: usize,
        now: i64,
    ) -> Result<i64, TokenFault> {
        let issuer = self.issuer_at(issuer);
        let claims = &signed.claims;
        issuer.profile.check_issuer(signed, &issuer.name)?;
        issuer.profile.check_required(claims)?;

        if let Some(iat) = claims.named("iat") {
            iat.time_rounded_down()?;
        }
        // `null` might be meant as a limit, so it is not treated as absent.
        if let Some(nbf) = claims.raw("nbf")
            && nbf.time_rounded_up()? > now.saturating_add(self.leeway)
        {
            return Err(TokenFault::NotYetValid);
        }
        claims
            .named("exp")
            .ok_or(TokenFault::Missing)?
            .time_rounded_down()
    }
}

impl SignedToken {
    fn signed_claims(&self) -> Result<SignedClaims<'_>, TokenFault> {
        Ok(SignedClaims {
            payload: &self.payload,
            claims: ClaimSet::parse(&self.payload)?,
            is_signed_with_secret: self.is_signed_with_secret,
            is_of_first_issuer: self.issuer == 0,
        })
    }
}
