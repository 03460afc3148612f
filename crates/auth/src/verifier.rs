//! The verifier of a service: identifies the caller of a request by the strategy that the service is configured with.

mod identify;

use std::sync::Arc;

use crate::access_cookie::AccessCookie;
use crate::claims::Claims;
use crate::error::AuthError;
#[cfg(feature = "client")]
use crate::feed::FeedTask;
use crate::freshness::Knowledge;
use crate::principal::{Principal, User};
use crate::refusal::Refusals;
use crate::revocations::Revocations;
use crate::stale::{Refusal, StalePolicy};
use crate::statistics::FeedStatistics;
#[cfg(not(feature = "client"))]
use crate::strategy::FeedTask;
use crate::strategy::{Introspection, Strategy};
use crate::token_verifier::{TokenVerifier, Verified};

/// Verifies access tokens and service tokens, and with [`gateway_identities`](crate::VerifierBuilder::gateway_identities) also
/// identity tokens. Build one at startup; clones share keys, caches and revocations.
///
/// A new token is checked in this order: length, header, key, signature, claims. A token that was verified before is found in a
/// cache by its text, and its signature is not checked again. Expiry and revocation are checked on every call.
#[derive(Clone, Debug)]
pub struct Verifier {
    state: Arc<VerifierState>,
}

/// The data that all clones of a verifier share.
#[derive(Debug)]
pub(crate) struct VerifierState {
    /// The verifier of access tokens and service tokens.
    pub tokens: TokenVerifier,
    pub strategy: Strategy,
    /// The cookie that may have the access token.
    pub access_cookie: Option<AccessCookie>,
    pub stale_policy: StalePolicy,
    pub refusals: Refusals,
    /// Follows the revocation feed. `None` if there is no feed.
    pub feed: Option<FeedTask>,
}

impl Verifier {
    pub(crate) fn new(state: VerifierState) -> Self {
        Self {
            state: Arc::new(state),
        }
    }

    /// The cookie that may have the access token.
    #[must_use]
    pub fn access_cookie(&self) -> Option<&AccessCookie> {
        self.state.access_cookie.as_ref()
    }

    /// Verifies an access token or a service token. If the token's key is unknown, waits for a refetch of the key set, at most
    /// once per [`RemoteKeys::unknown_key_cooldown`](crate::RemoteKeys::unknown_key_cooldown). With
    /// [`introspection`](crate::VerifierBuilder::introspection), also waits until the authorization server confirms a user's
    /// token. With [`gateway_identities`](crate::VerifierBuilder::gateway_identities), refuses users' tokens.
    ///
    /// # Errors
    /// - [`AuthError::InvalidToken`], [`Expired`](AuthError::Expired) or [`Revoked`](AuthError::Revoked) if the token is not
    ///   accepted.
    /// - [`KeysUnavailable`](AuthError::KeysUnavailable) or [`RevocationUnknown`](AuthError::RevocationUnknown) if this verifier
    ///   can't decide.
    pub async fn verify(&self, token: impl AsRef<[u8]>) -> Result<Principal, AuthError> {
        let token = token.as_ref();
        let verified = self.state.tokens.verify(token).await?;
        let Verified {
            principal, knowledge, ..
        } = verified;
        // A single service token can't be revoked, so there is nothing to ask about.
        let Principal::User(user) = principal else {
            return Ok(principal);
        };
        let user = match &self.state.strategy {
            Strategy::Introspect(introspection) if verified.is_of_first_issuer => {
                let expires_at = user.expires_at().timestamp();
                // Boxed, because the other strategies would reserve the space of this future for each request.
                Box::pin(self.confirm(introspection, token, expires_at)).await?;
                user
            }
            _ if knowledge == Knowledge::NotRevoked => user,
            // The authorization server knows only tokens of the first issuer.
            _ if !verified.is_of_first_issuer => self
                .state
                .stale_policy
                .decide_without_confirmation(user, knowledge)?,
            _ => Box::pin(self.decide_when_stale(token, user, knowledge)).await?,
        };
        Ok(Principal::User(user))
    }

    /// Decides about a user's valid token while the revocation set is not current.
    async fn decide_when_stale(
        &self,
        token: &[u8],
        user: User,
        knowledge: Knowledge,
    ) -> Result<User, AuthError> {
        let expires_at = user.expires_at().timestamp();
        let decided = self.state.stale_policy.decide(token, user, knowledge).await;
        decided.map_err(|refusal| match refusal {
            Refusal::Inactive => self.inactive(expires_at),
            Refusal::Unknown => AuthError::RevocationUnknown,
        })
    }

    /// Why the authorization server calls a valid token inactive. The server allows no leeway.
    fn inactive(&self, expires_at: i64) -> AuthError {
        if self.state.tokens.clock.unix() >= expires_at {
            AuthError::Expired
        } else {
            AuthError::Revoked
        }
    }

    /// Asks the authorization server whether a user's token is active.
    async fn confirm(
        &self,
        introspection: &Introspection,
        token: &[u8],
        expires_at: i64,
    ) -> Result<(), AuthError> {
        match introspection.is_active(token).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.inactive(expires_at)),
            Err(error) => {
                tracing::warn!(%error, "the authorization server did not say whether a token is active");
                Err(AuthError::RevocationUnknown)
            }
        }
    }

    /// Verifies a token with the current key set, without waiting and without asking the authorization server. With
    /// [`introspection`](crate::VerifierBuilder::introspection) the result for a user's valid token is
    /// [`RevocationUnknown`](AuthError::RevocationUnknown), because the server must be asked.
    ///
    /// # Errors
    /// The same as for [`verify`](Self::verify).
    pub fn verify_with_current_keys(&self, token: &str) -> Result<Principal, AuthError> {
        let verified = self.state.tokens.verify_with_current_keys(token.as_bytes())?;
        let Verified {
            principal, knowledge, ..
        } = verified;
        match (&self.state.strategy, principal) {
            (Strategy::Introspect(_), Principal::User(_)) if verified.is_of_first_issuer => {
                Err(AuthError::RevocationUnknown)
            }
            (_, Principal::User(user)) => {
                let user = self
                    .state
                    .stale_policy
                    .decide_without_confirmation(user, knowledge)?;
                Ok(Principal::User(user))
            }
            (_, service) => Ok(service),
        }
    }

    /// Verifies form, signature, issuer and times of a token of this platform, and returns its claims. **Checks neither the audience nor whether the
    /// session or the user was revoked**, so the result doesn't authenticate a caller.
    ///
    /// An authorization server needs this to introspect or revoke a token that it issued for another service (RFC 7662, RFC 7009).
    /// The server checks revocation in its own database.
    ///
    /// # Errors
    /// The same as for [`verify`](Self::verify), except for revocation.
    pub fn verify_claims(&self, token: &str) -> Result<Claims, AuthError> {
        self.state.tokens.verify_claims(token.as_bytes())
    }

    /// Whether there are keys to verify tokens of the first issuer with. A service without keys is not ready.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        self.state.tokens.issuer.keys.is_loaded()
    }

    /// Whether there are keys to verify identity tokens with. True if this verifier accepts no identity tokens.
    #[must_use]
    pub fn has_gateway_keys(&self) -> bool {
        match &self.state.strategy {
            Strategy::Gateway(identities) => identities.issuer.keys.is_loaded(),
            Strategy::Local | Strategy::Introspect(_) => true,
        }
    }

    /// Whether the revocation feed has delivered its first snapshot. True if there is no feed.
    #[must_use]
    pub fn has_revocations(&self) -> bool {
        self.revocations().freshness().has_snapshot()
    }

    /// How refusals are answered.
    pub(crate) fn refusals(&self) -> &Refusals {
        &self.state.refusals
    }

    /// How often a token was found in the caches, and how often it was not.
    pub(crate) fn cache_lookups(&self) -> (u64, u64) {
        let (hits, misses) = self.state.tokens.cache.lookups();
        match &self.state.strategy {
            Strategy::Gateway(identities) => {
                let (more_hits, more_misses) = identities.cache.lookups();
                (hits + more_hits, misses + more_misses)
            }
            Strategy::Local | Strategy::Introspect(_) => (hits, misses),
        }
    }

    /// Figures about the feed, if there is one.
    pub(crate) fn feed_statistics(&self) -> Option<FeedStatistics> {
        let feed = self.state.feed.as_ref()?;
        let (freshness, now) = (self.revocations().freshness(), self.state.tokens.clock.unix());
        Some(FeedStatistics {
            age: freshness.age(now).map(i64::unsigned_abs),
            is_stale: freshness.knowledge(now) != Knowledge::NotRevoked,
            events: feed.events(),
            connections: feed.connections(),
            is_over_nats: feed.is_over_nats(),
        })
    }

    /// The revocation set that this verifier checks.
    #[must_use]
    pub fn revocations(&self) -> &Revocations {
        &self.state.tokens.revocations
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::TokenFault;
    use crate::testing::{Issuer, TestToken};
    use crate::token_verifier::MAX_TOKEN_BYTES;

    #[test]
    fn a_valid_token_is_cached_and_an_invalid_one_is_not() {
        let issuer = Issuer::new("a");
        let verifier = issuer.verifier();
        let cache = &verifier.state.tokens.cache;

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
        assert_eq!(verifier.state.tokens.cache.len(), 1);
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
        assert_eq!(verifier.state.tokens.cache.len(), 0);
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
