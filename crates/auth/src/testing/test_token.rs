//! A token that a test changes before the token is signed.

use std::sync::Arc;

use jsonwebtoken::Header;
use serde_json::Value;
use uuid::Uuid;

use super::signing_key::SigningKey;
use crate::claim_path::ClaimPath;
use crate::claim_set::ClaimSet;
use crate::claims::Claims;
use crate::clock::Clock;
use crate::identity::{IDENTITY_TOKEN_TYPE, identity_issuer};
use crate::principal::{Principal, User};
use crate::profile::test_claims::set;
use crate::profile::{Profile, SignedClaims};
use crate::revocation::Revocation;
use crate::revocations::Revocations;
use crate::verifier_builder::{DEFAULT_LEEWAY, MAX_LEEWAY};

/// The lifetime of an identity token in seconds.
const IDENTITY_LIFETIME: i64 = 30;

/// A token of a user or service. It is valid unless a method makes it invalid.
#[derive(Clone, Debug)]
pub struct TestToken {
    pub(super) revocations: Revocations,
    pub(super) clock: Clock,
    pub(super) key: SigningKey,
    pub(super) gateway_key: SigningKey,
    pub(super) header: Header,
    pub(super) issuer: String,
    pub(super) profile: Arc<Profile>,
    pub(super) claims: Claims,
    /// Claims that [`Claims`] doesn't have.
    pub(super) more_claims: Vec<(ClaimPath, Value)>,
}

impl TestToken {
    /// Sets the user's id.
    #[must_use]
    pub fn id(mut self, id: Uuid) -> Self {
        self.claims.sub = id.to_string();
        self
    }

    /// Sets the user's name.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.claims.name = Some(name.to_owned());
        self
    }

    /// Sets the scope: words separated by one space.
    #[must_use]
    pub fn scope(mut self, scope: &str) -> Self {
        scope.clone_into(&mut self.claims.scope);
        self
    }

    /// Sets the user's epoch.
    #[must_use]
    pub fn epoch(mut self, epoch: i64) -> Self {
        self.claims.epoch = Some(epoch);
        self
    }

    /// Sets a claim, also one that [`Claims`] doesn't have. It replaces the claim that the token has at this place.
    #[must_use]
    pub fn claim(mut self, claim: impl Into<ClaimPath>, value: impl Into<Value>) -> Self {
        self.more_claims.push((claim.into(), value.into()));
        self
    }

    /// Makes the token just expired: `exp` becomes the current time minus the default leeway.
    #[must_use]
    pub fn expired(mut self) -> Self {
        self.claims.exp = self.clock.unix() - DEFAULT_LEEWAY.num_seconds();
        self
    }

    /// Revokes the user's session, with immediate effect for all of the issuer's verifiers.
    ///
    /// # Panics
    /// If this is a service: a service token has no session, so it can't be revoked. And if the issuer's profile says that tokens
    /// [can't be revoked](crate::Revocable::No).
    #[must_use]
    #[track_caller]
    pub fn revoked(self) -> Self {
        assert!(
            !self.claims.is_service() && self.profile.is_revocable(),
            "a service token has no session, and neither have tokens of this profile, so it can't be revoked"
        );
        let id = self.user().session_id().expect("a session");
        let expires_at = self.claims.exp.saturating_add(MAX_LEEWAY.num_seconds());
        self.revocations.apply(Revocation::Session { id, expires_at });
        self
    }

    /// Issues the token for another audience.
    #[must_use]
    pub fn wrong_audience(mut self) -> Self {
        self.claims.aud = vec!["another-audience".to_owned()];
        self
    }

    /// Makes it an identity token for this service, which is valid for 30 seconds. All other claims stay the same.
    #[must_use]
    pub fn identity_for(mut self, service: &str) -> Self {
        self.claims.iss = identity_issuer(&self.claims.iss);
        self.claims.aud = vec![service.to_owned()];
        self.claims.exp = self.claims.iat + IDENTITY_LIFETIME;
        self.key = self.gateway_key.clone();
        self.header = Header {
            typ: Some(IDENTITY_TOKEN_TYPE.to_owned()),
            ..self.key.header()
        };
        self
    }

    /// Signs the token with another key than the key that its header names.
    #[must_use]
    pub fn signed_by_a_stranger(mut self) -> Self {
        self.key = self.key.another();
        self
    }

    /// Changes the header and the claims.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Header, &mut Claims)) -> Self {
        change(&mut self.header, &mut self.claims);
        self
    }

    /// The signed token.
    ///
    /// # Panics
    /// If the header's algorithm was changed to one that the key does not support.
    #[must_use]
    pub fn token(&self) -> String {
        self.key.sign(&self.header, &self.payload())
    }

    /// The claims at their places.
    fn payload(&self) -> Value {
        let mut payload = self.profile.test_claims(&self.claims, &self.issuer);
        for (claim, value) in &self.more_claims {
            set(&mut payload, claim, value.clone());
        }
        payload
    }

    /// The claims, for a test that encodes the token itself.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The user that a verifier returns for this token.
    ///
    /// # Panics
    /// If this is a service, or if the changed claims identify no user.
    #[must_use]
    pub fn user(&self) -> User {
        let payload = self.payload().to_string();
        let signed = SignedClaims {
            payload: &payload,
            claims: ClaimSet::parse(&payload).expect("an object"),
            is_signed_with_secret: false,
            is_of_first_issuer: true,
        };
        let issuer = self.issuer.as_str().into();
        let is_service = self.claims.is_service();
        match self
            .profile
            .identify(&signed, is_service, &issuer, self.claims.exp)
        {
            Ok(Principal::User(user)) => user,
            other => panic!("not a user's token: {other:?}"),
        }
    }
}
