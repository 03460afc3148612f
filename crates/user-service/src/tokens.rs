//! Issuing access tokens and service tokens (RFC 9068). No other service of the platform signs.
//!
//! - `keys` loads, creates and publishes the signing keys; `signing` signs with the active one.
//! - `seal` encrypts private keys and other secrets before they are stored.
//!
//! This room decides neither who gets a token nor for which audience.

mod keys;
mod seal;
mod signing;

use std::sync::LazyLock;

use auth::{Claims, Verifier};
use chrono::{DateTime, TimeDelta, Utc};
use service_kit::{Register, Roles};
use uuid::Uuid;

pub(crate) use self::keys::{PublishedKeys, SigningKeys, load_or_create};
pub use self::seal::KeyEncryptionKey;
pub(crate) use self::seal::Seals;
pub(crate) use self::signing::Signer;
use crate::domain::Account;

/// The client that users' tokens are issued to: the platform itself.
pub(crate) const CLIENT_ID: &str = "countersign";

static REGISTER: LazyLock<Register> = LazyLock::new(Register::built_in);

/// Issues access tokens and service tokens.
#[derive(Clone, Debug)]
pub(crate) struct TokenIssuer {
    pub issuer: String,
    pub audience: String,
    /// Of every token.
    pub lifetime: TimeDelta,
    pub roles: Roles,
    pub signer: Signer,
}

impl TokenIssuer {
    /// The scopes of a user's roles, separated by spaces.
    pub(crate) fn scope_of(&self, user: &Account) -> String {
        self.roles.scope_of(&user.roles())
    }

    /// The claims of a token that this service issued and that has not expired: a user's for the platform, or a service's for any
    /// registered service. Revocation is not checked.
    pub(crate) fn verify_claims(&self, verifier: &Verifier, token: &str) -> Option<Claims> {
        let claims = verifier.verify_claims(token).ok()?;
        let has_known_audience = if claims.is_service() {
            let is_registered = |audience: &String| REGISTER.find(audience).is_some();
            claims.aud.iter().any(is_registered)
        } else {
            claims.is_for(&self.audience)
        };
        has_known_audience.then_some(claims)
    }

    /// An access token for a user in one of their sessions.
    pub(crate) fn access_token(
        &self,
        user: &Account,
        session: Uuid,
        now: DateTime<Utc>,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        self.signer.sign(&Claims {
            sid: Some(session),
            epoch: Some(user.epoch),
            email: Some(user.email.clone()),
            name: Some(user.name.clone()),
            roles: Some(user.roles()),
            scope: self.scope_of(user),
            ..self.claims(user.id.to_string(), self.audience.clone(), CLIENT_ID, now)
        })
    }

    /// A token with which a service calls one other service.
    pub(crate) fn service_token(
        &self,
        client: &str,
        audience: &str,
        now: DateTime<Utc>,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        self.signer
            .sign(&self.claims(client.to_owned(), audience.to_owned(), client, now))
    }

    /// The claims that every token has.
    fn claims(&self, subject: String, audience: String, client_id: &str, now: DateTime<Utc>) -> Claims {
        Claims {
            iss: self.issuer.clone(),
            sub: subject,
            aud: vec![audience],
            exp: (now + self.lifetime).timestamp(),
            nbf: None,
            iat: now.timestamp(),
            jti: Uuid::new_v4().to_string(),
            client_id: client_id.to_owned(),
            sid: None,
            epoch: None,
            email: None,
            name: None,
            roles: None,
            scope: String::new(),
        }
    }
}
