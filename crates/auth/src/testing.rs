//! An issuer inside the test's process. It makes tokens of users and services, both valid and invalid tokens.
//!
//! ```
//! use auth::testing::Issuer;
//! use auth::{AuthError, Principal};
//!
//! let issuer = Issuer::new("product-service");
//! let verifier = issuer.verifier();
//!
//! let ada = issuer.as_user().name("Ada");
//! let Ok(Principal::User(user)) = verifier.verify_with_current_keys(&ada.token()) else { panic!() };
//! assert_eq!(user.name(), "Ada");
//!
//! assert_eq!(verifier.verify_with_current_keys(&issuer.as_user().expired().token()), Err(AuthError::Expired));
//! assert_eq!(verifier.verify_with_current_keys(&issuer.as_admin().revoked().token()), Err(AuthError::Revoked));
//! ```
//!
//! Tests don't switch verification off: each token is really signed.
#![expect(
    clippy::expect_used,
    reason = "a test that uses this module wrongly should panic"
)]

#[cfg(feature = "nats")]
mod nats_server;
#[cfg(feature = "client")]
mod publisher;
mod signing_key;
mod test_token;

use std::sync::Arc;

use jsonwebtoken::Header;
use uuid::Uuid;

#[cfg(feature = "nats")]
pub use self::nats_server::NatsServer;
#[cfg(feature = "client")]
pub use self::publisher::Publisher;
use self::signing_key::SigningKey;
pub use self::test_token::TestToken;
use crate::claims::Claims;
use crate::clock::Clock;
use crate::keys::{KeySet, Keys};
use crate::profile::Profile;
use crate::revocations::Revocations;
use crate::verifier::Verifier;
use crate::verifier_builder::VerifierBuilder;

/// The lifetime of a test token in seconds: 15 minutes, like that of a real one.
const LIFETIME: i64 = 900;

/// Signs tokens for the tests of one service.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_field_names,
    reason = "the field `issuer` is named after the claim `iss`"
)]
pub struct Issuer {
    service: String,
    issuer: String,
    profile: Arc<Profile>,
    clock: Clock,
    revocations: Revocations,
    key: SigningKey,
    gateway_key: SigningKey,
}

impl Issuer {
    /// The issuer `http://localhost:8080` with a random Ed25519 key, for tests of the service of this name.
    #[must_use]
    pub fn new(service: &str) -> Self {
        Self::with_key(service, SigningKey::ed25519())
    }

    /// Like [`new`](Self::new), but with a random P-256 key, which signs by ES256.
    #[must_use]
    pub fn es256(service: &str) -> Self {
        Self::with_key(service, SigningKey::p256())
    }

    /// Like [`new`](Self::new), but with a shared secret instead of a key pair, as for services with `JWT_SECRET`.
    ///
    /// # Panics
    /// If [`SharedSecret`](crate::SharedSecret) refuses the secret.
    #[must_use]
    pub fn with_secret(service: &str, secret: &str) -> Self {
        Self::with_key(service, SigningKey::hs256(secret))
    }

    fn with_key(service: &str, key: SigningKey) -> Self {
        let clock = Clock::fixed();
        Self {
            service: service.to_owned(),
            issuer: "http://localhost:8080".to_owned(),
            profile: Arc::new(Profile::countersign(service)),
            revocations: Revocations::new(clock.clone(), Revocations::DEFAULT_CAPACITY),
            clock,
            key,
            gateway_key: SigningKey::ed25519(),
        }
    }

    /// The same issuer with tokens that look as this profile says. Tests of an application that accepts tokens of another issuer
    /// use the profile that the application uses.
    ///
    /// ```
    /// use auth::testing::Issuer;
    /// use auth::{Principal, Profile};
    ///
    /// let issuer = Issuer::new("shop-api").with_profile(Profile::keycloak("shop-api"));
    /// let token = issuer.as_roles(&["clerk"]).claim("department", "shoes").token();
    /// let Ok(Principal::User(user)) = issuer.verifier().verify_with_current_keys(&token) else { panic!() };
    /// assert!(user.has_role("clerk"));
    /// ```
    #[must_use]
    pub fn with_profile(mut self, profile: Profile) -> Self {
        self.profile = Arc::new(profile);
        self
    }

    /// The same issuer by another name, the value of `iss`. Defaults to `http://localhost:8080`.
    #[must_use]
    pub fn with_name(mut self, issuer: &str) -> Self {
        issuer.clone_into(&mut self.issuer);
        self
    }

    /// The same issuer with another random key for the same algorithm, as after a rotation.
    #[must_use]
    pub fn rotated(&self) -> Self {
        Self {
            key: self.key.another(),
            ..self.clone()
        }
    }

    /// The clock of this issuer and its verifiers. It stands still until the test moves it.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The revocation set that this issuer's verifiers check.
    #[must_use]
    pub fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// The `iss` of the tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The public keys as a JWK Set, for a test that serves the set over HTTP.
    #[must_use]
    pub fn jwks(&self) -> serde_json::Value {
        self.key.jwks.clone()
    }

    /// The verification keys.
    #[must_use]
    pub fn key_set(&self) -> KeySet {
        self.key.key_set.clone()
    }

    /// A verifier with this issuer's key, clock and revocation set.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        self.verifier_with(Keys::new(self.key_set()))
    }

    /// A verifier with this issuer's clock and revocation set, but other keys.
    #[must_use]
    pub fn verifier_with(&self, keys: Keys) -> Verifier {
        self.verifier_builder(keys).build()
    }

    /// A verifier that knows users only by identity tokens: see [`TestToken::identity_for`].
    #[must_use]
    pub fn gateway_verifier(&self) -> Verifier {
        self.verifier_builder(Keys::new(self.key_set()))
            .gateway_identities(&self.service, Keys::new(self.gateway_key_set()))
            .build()
    }

    /// The keys that verify identity tokens.
    #[must_use]
    pub fn gateway_key_set(&self) -> KeySet {
        self.gateway_key.key_set.clone()
    }

    /// The public key of the gateway as a JWK Set, for a test that serves the set over HTTP.
    #[must_use]
    pub fn gateway_jwks(&self) -> serde_json::Value {
        self.gateway_key.jwks.clone()
    }

    /// Starts to build a verifier with this issuer's clock and revocation set, and with these keys.
    #[must_use]
    pub fn verifier_builder(&self, keys: Keys) -> VerifierBuilder {
        Verifier::builder(&self.issuer, keys, Profile::clone(&self.profile))
            .clock(self.clock.clone())
            .revocations(self.revocations.clone())
    }

    /// A token of a new user with the role `user`. Each call makes another user.
    #[must_use]
    pub fn as_user(&self) -> TestToken {
        self.as_roles(&["user"])
    }

    /// A token of a new user with the roles `user` and `admin`. Each call makes another user.
    #[must_use]
    pub fn as_admin(&self) -> TestToken {
        self.as_roles(&["user", "admin"])
    }

    /// A token of a new user with these roles. Each call makes another user.
    #[must_use]
    pub fn as_roles(&self, roles: &[&str]) -> TestToken {
        let id = Uuid::new_v4();
        let audience = self.profile.test_audience();
        self.token_with(Claims {
            sid: Some(Uuid::new_v4()),
            epoch: Some(0),
            email: Some(format!("{id}@example.com")),
            name: Some("Test User".to_owned()),
            roles: Some(roles.iter().map(ToString::to_string).collect()),
            ..self.claims(&id.to_string(), "countersign", audience)
        })
    }

    /// A token of the service of this name, for the service under test. If the profile admits no services, the token is refused.
    #[must_use]
    pub fn as_service(&self, name: &str) -> TestToken {
        let audience = self.profile.test_service_audience();
        self.token_with(self.claims(name, name, audience))
    }

    fn claims(&self, subject: &str, client: &str, audience: Option<&str>) -> Claims {
        let now = self.clock.unix();
        Claims {
            iss: self.issuer.clone(),
            sub: subject.to_owned(),
            aud: audience.into_iter().map(str::to_owned).collect(),
            exp: now + LIFETIME,
            nbf: None,
            iat: now,
            jti: Uuid::new_v4().to_string(),
            client_id: client.to_owned(),
            sid: None,
            epoch: None,
            email: None,
            name: None,
            roles: None,
            scope: String::new(),
        }
    }

    fn token_with(&self, claims: Claims) -> TestToken {
        TestToken {
            revocations: self.revocations.clone(),
            clock: self.clock.clone(),
            header: Header {
                typ: self.profile.test_type().map(str::to_owned),
                ..self.key.header()
            },
            issuer: self.issuer.clone(),
            profile: Arc::clone(&self.profile),
            more_claims: Vec::new(),
            key: self.key.clone(),
            gateway_key: self.gateway_key.clone(),
            claims,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{AuthError, TokenFault};

    #[test]
    #[should_panic = "a service token has no session"]
    fn a_service_token_can_not_be_revoked() {
        drop(Issuer::new("a").as_service("b").revoked());
    }

    #[test]
    fn an_es256_issuer_signs_tokens_that_its_verifier_accepts() {
        let issuer = Issuer::es256("a");
        let verifier = issuer.verifier();
        let verify = |token: TestToken| verifier.verify_with_current_keys(&token.token()).map(drop);

        assert_eq!(verify(issuer.as_user()), Ok(()));
        assert_eq!(verify(issuer.as_service("b")), Ok(()));
        assert_eq!(
            verify(issuer.as_user().signed_by_a_stranger()),
            Err(AuthError::InvalidToken(TokenFault::Signature))
        );
        let unknown = Err(AuthError::InvalidToken(TokenFault::UnknownKey));
        assert_eq!(verify(issuer.rotated().as_user()), unknown);
        assert_eq!(issuer.rotated().jwks()["keys"][0]["alg"], "ES256");
    }
}
