//! Identity tokens: with `AUTH_STRATEGY=gateway`, services know users only by a token that the gateway signs for the one service that
//! the request goes to.
//!
//! The key exists in memory only. After a restart the gateway has another one, and each service fetches the new key when it sees the
//! first token with it.

use std::cell::RefCell;
use std::collections::HashMap;

use auth::{Algorithm, Claims, Clock, IDENTITY_TOKEN_TYPE, User, identity_issuer};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use uuid::Uuid;

/// How long an identity token is valid, in seconds.
const LIFETIME: i64 = 30;
/// How long an identity token is used again, in seconds. It then has a few seconds left to reach the service.
const REUSE_TIME: i64 = 25;

/// Signs identity tokens.
pub(crate) struct IdentitySigner {
    key: EncodingKey,
    header: Header,
    issuer: String,
    clock: Clock,
    /// The public key, as a JWK Set (RFC 7517 §5).
    pub jwks: Value,
}

/// The system provides no random bytes, or the key can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the key for identity tokens can't be generated")]
pub(crate) struct NoKey;

impl IdentitySigner {
    /// A signer with a new key. `issuer` is the issuer of access tokens.
    pub(crate) fn new(issuer: &str, clock: Clock) -> Result<Self, NoKey> {
        let key = Ed25519KeyPair::generate().map_err(|_| NoKey)?;
        let document = key.to_pkcs8v1().map_err(|_| NoKey)?;
        let kid = Uuid::new_v4().to_string();
        let public = URL_SAFE_NO_PAD.encode(key.public_key());
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(IDENTITY_TOKEN_TYPE.to_owned());
        header.kid = Some(kid.clone());
        Ok(Self {
            key: EncodingKey::from_ed_der(document.as_ref()),
            header,
            issuer: identity_issuer(issuer),
            clock,
            jwks: json!({"keys": [
                {"kty": "OKP", "crv": "Ed25519", "x": public, "kid": kid, "alg": "EdDSA", "use": "sig"},
            ]}),
        })
    }

    /// A token by which this service knows the user. It ends with the access token, if that ends earlier.
    fn sign(&self, user: &User, service: &str, now: i64) -> Option<HeaderValue> {
        let claims = Claims {
            iss: self.issuer.clone(),
            sub: user.id().to_string(),
            aud: vec![service.to_owned()],
            exp: (now + LIFETIME).min(user.expires_at().timestamp()),
            nbf: None,
            iat: now,
            jti: user.token_id().to_owned(),
            client_id: "countersign".to_owned(),
            sid: user.session_id(),
            epoch: user.epoch(),
            email: Some(user.email().to_owned()),
            name: Some(user.name().to_owned()),
            roles: Some(user.roles().to_vec()),
            scope: user.scope().to_owned(),
        };
        let token = jsonwebtoken::encode(&self.header, &claims, &self.key).ok()?;
        HeaderValue::try_from(token).ok()
    }
}

/// The identity tokens of one worker thread, by service and by the id of the access token.
#[derive(Default)]
pub(crate) struct Identities {
    by_service: RefCell<HashMap<String, HashMap<String, Identity>>>,
}

struct Identity {
    token: HeaderValue,
    signed_at: i64,
}

impl Identities {
    /// The identity token of a user for a service. A recent one is used again, so that the service finds it in its cache of verified
    /// tokens. `None` if it can't be signed.
    pub(crate) fn token(&self, signer: &IdentitySigner, user: &User, service: &str) -> Option<HeaderValue> {
        let now = signer.clock.now().timestamp();
        let mut by_service = self.by_service.borrow_mut();
        let known = by_service
            .get(service)
            .and_then(|tokens| tokens.get(user.token_id()));
        if let Some(identity) = known.filter(|identity| is_recent(identity, now)) {
            return Some(identity.token.clone());
        }
        let token = signer.sign(user, service, now)?;
        let identity = Identity {
            token: token.clone(),
            signed_at: now,
        };
        by_service
            .entry(service.to_owned())
            .or_default()
            .insert(user.token_id().to_owned(), identity);
        Some(token)
    }

    /// Forgets the tokens that are not used again.
    pub(crate) fn cleanup(&self, signer: &IdentitySigner) {
        let now = signer.clock.now().timestamp();
        for tokens in self.by_service.borrow_mut().values_mut() {
            tokens.retain(|_, identity| is_recent(identity, now));
        }
    }
}

fn is_recent(identity: &Identity, now: i64) -> bool {
    (0..REUSE_TIME).contains(&(now - identity.signed_at))
}

#[cfg(test)]
mod tests {
    use auth::testing::Issuer;
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_recent_identity_token_of_the_same_service_is_used_again() {
        let issuer = Issuer::new("gateway");
        let signer = IdentitySigner::new(issuer.issuer(), issuer.clock().clone()).unwrap();
        let user = issuer.as_admin().user();
        let identities = Identities::default();
        let token = |service: &str| identities.token(&signer, &user, service).unwrap();

        let first = token("order-service");
        assert_eq!(token("order-service"), first);
        assert_ne!(token("product-service"), first);
        assert_eq!(identities.by_service.borrow()["order-service"].len(), 1);
        issuer.clock().advance(TimeDelta::seconds(REUSE_TIME - 1));
        identities.cleanup(&signer);
        assert_eq!(token("order-service"), first);
        issuer.clock().advance(TimeDelta::seconds(1));
        identities.cleanup(&signer);
        assert!(identities.by_service.borrow()["order-service"].is_empty());
        assert_ne!(token("order-service"), first);
    }

    #[test]
    fn an_identity_token_ends_with_the_access_token() {
        let issuer = Issuer::new("gateway");
        let signer = IdentitySigner::new(issuer.issuer(), issuer.clock().clone()).unwrap();
        let user = issuer
            .as_user()
            .with(|_, claims| claims.exp = claims.iat + 7)
            .user();
        let token = Identities::default()
            .token(&signer, &user, "order-service")
            .unwrap();
        let payload = token.to_str().unwrap().split('.').nth(1).unwrap();
        let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        assert_eq!(claims.exp - claims.iat, 7);
        assert_eq!(
            (claims.iss, claims.aud),
            (
                "http://localhost:8080/gateway".to_owned(),
                vec!["order-service".to_owned()]
            )
        );
    }
}
