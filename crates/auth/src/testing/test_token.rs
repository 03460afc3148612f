//! A token that a test changes before the token is signed.

use jsonwebtoken::Header;
use uuid::Uuid;

use super::signing_key::SigningKey;
use crate::claims::Claims;
use crate::clock::Clock;
use crate::identity::{IDENTITY_TOKEN_TYPE, identity_issuer};
use crate::principal::{Principal, User};
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
    pub(super) claims: Claims,
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

    /// Makes the token just expired: `exp` becomes the current time minus the default leeway.
    #[must_use]
    pub fn expired(mut self) -> Self {
        self.claims.exp = self.clock.unix() - DEFAULT_LEEWAY.num_seconds();
        self
    }

    /// Revokes the user's session, with immediate effect for all of the issuer's verifiers.
    ///
    /// # Panics
    /// If this is a service: a service token has no session, so it can't be revoked.
    #[must_use]
    #[track_caller]
    pub fn revoked(self) -> Self {
        let id = self
            .claims
            .sid
            .expect("a user's token: a service token has no session, so it can't be revoked");
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
        self.key.sign(&self.header, &self.claims)
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
        match self.claims.clone().into_principal() {
            Ok(Principal::User(user)) => user,
            other => panic!("not a user's token: {other:?}"),
        }
    }
}
