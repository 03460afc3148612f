//! Making access tokens and service tokens (RFC 9068). Nothing else in the platform signs.

use std::sync::LazyLock;

use auth::{Claims, Verifier};
use chrono::{DateTime, TimeDelta, Utc};
use service_kit::{Register, Roles};
use uuid::Uuid;

use crate::domain::Account;
use crate::keys::Signer;

/// The client that people's tokens are given to: the platform itself.
pub(crate) const CLIENT_ID: &str = "countersign";

static REGISTER: LazyLock<Register> = LazyLock::new(Register::built_in);

/// Makes access tokens and service tokens.
#[derive(Clone, Debug)]
pub(crate) struct Mint {
    pub issuer: String,
    pub audience: String,
    pub life: TimeDelta,
    pub roles: Roles,
    pub signer: Signer,
}

impl Mint {
    /// What this person's roles allow them, as a token says it.
    pub(crate) fn scope_of(&self, account: &Account) -> String {
        self.roles.scope_of(&account.roles())
    }

    /// The claims of a token that this service issued and that has not expired: a user's for the platform, or a service's for
    /// any registered service. Revocation is not checked.
    pub(crate) fn verify_claims(&self, verifier: &Verifier, token: &str) -> Option<Claims> {
        let claims = verifier.verify_claims(token).ok()?;
        let has_known_audience = if claims.is_service() {
            claims
                .aud
                .iter()
                .any(|audience| REGISTER.find(audience).is_some())
        } else {
            claims.is_for(&self.audience)
        };
        has_known_audience.then_some(claims)
    }

    /// An access token for a person in one of their sessions.
    pub(crate) fn access_token(
        &self,
        account: &Account,
        session: Uuid,
        now: DateTime<Utc>,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        self.signer.sign(&Claims {
            iss: self.issuer.clone(),
            sub: account.id.to_string(),
            aud: vec![self.audience.clone()],
            exp: (now + self.life).timestamp(),
            nbf: None,
            iat: now.timestamp(),
            jti: Uuid::new_v4().to_string(),
            client_id: CLIENT_ID.to_owned(),
            sid: Some(session),
            epoch: Some(account.epoch),
            email: Some(account.email.clone()),
            name: Some(account.name.clone()),
            roles: Some(account.roles()),
            scope: self.scope_of(account),
        })
    }

    /// A token for a service that calls another, and for that call alone.
    pub(crate) fn service_token(
        &self,
        client: &str,
        audience: &str,
        now: DateTime<Utc>,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        self.signer.sign(&Claims {
            iss: self.issuer.clone(),
            sub: client.to_owned(),
            aud: vec![audience.to_owned()],
            exp: (now + self.life).timestamp(),
            nbf: None,
            iat: now.timestamp(),
            jti: Uuid::new_v4().to_string(),
            client_id: client.to_owned(),
            sid: None,
            epoch: None,
            email: None,
            name: None,
            roles: None,
            scope: String::new(),
        })
    }
}
