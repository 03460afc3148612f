//! Issuing access tokens and service tokens (RFC 9068). No other service of the platform signs.
//!
//! - `keys` holds the current signing keys of this process, and loads them again when they change. `key_store` creates and opens
//!   stored keys, `published_keys` is their public form, `signing` signs with one key.
//! - `seal` encrypts private keys and other secrets before they are stored.
//! - `verify` verifies tokens that this service issued.
//!
//! This module trusts its callers: they decide for which user, client and audience a token is issued.

mod documented_claims;
mod key_store;
mod keys;
mod published_keys;
mod seal;
mod signing;
mod verify;

use auth::Claims;
use chrono::{DateTime, TimeDelta, Utc};
use service_kit::Roles;
use uuid::Uuid;

pub(crate) use self::documented_claims::DocumentedClaims;
pub(crate) use self::key_store::KeyError;
pub(crate) use self::keys::SigningKeys;
pub use self::seal::KeyEncryptionKey;
pub(crate) use self::seal::{SealError, SealingKeys};
pub(crate) use self::verify::IssuedTokenVerifier;
use crate::domain::Account;

/// The `client_id` of users' tokens, which are issued to the platform itself (RFC 9068 §2.2).
pub(crate) const USER_TOKEN_CLIENT_ID: &str = "countersign";

/// Issues access tokens and service tokens.
#[derive(Clone, Debug)]
pub(crate) struct TokenIssuer {
    pub issuer: String,
    pub audience: String,
    /// The time from a token's issue to its expiry, the same for all tokens.
    pub lifetime: TimeDelta,
    pub roles: Roles,
    pub keys: SigningKeys,
}

impl TokenIssuer {
    /// The scopes of a user's roles, separated by spaces.
    pub(crate) fn scope_of(&self, user: &Account) -> String {
        self.roles.scope_of(&user.roles())
    }

    /// An access token for a user in this session.
    pub(crate) fn access_token(
        &self,
        user: &Account,
        session: Uuid,
        now: DateTime<Utc>,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        self.keys.sign(&Claims {
            sid: Some(session),
            epoch: Some(user.epoch),
            email: Some(user.email.clone()),
            name: Some(user.name.clone()),
            roles: Some(user.roles()),
            scope: self.scope_of(user),
            ..self.claims(
                user.id.to_string(),
                self.audience.clone(),
                USER_TOKEN_CLIENT_ID,
                now,
            )
        })
    }

    /// A token with which a service calls one other service.
    pub(crate) fn service_token(
        &self,
        client: &str,
        audience: &str,
        now: DateTime<Utc>,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        self.keys
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
