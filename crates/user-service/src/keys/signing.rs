//! The signing keys: one active, one published ahead of its turn.

use auth::{Algorithm, Clock, KeySet, Keys};
use aws_lc_rs::digest;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use db::Db;
use jsonwebtoken::{EncodingKey, Header};
use serde::Serialize;
use serde_json::{Value, json};
use service_kit::KeySource;
use utoipa::ToSchema;

use super::seal::Seals;
use crate::error::StartError;
use crate::store::SigningKeyRows;

/// Where a key is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub(crate) enum KeyState {
    /// Published, so that every verifier has it before it signs.
    Next,
    /// Signs.
    Active,
    /// Signs no more; published until the last token that it signed has ended.
    Retiring,
}

/// A key as its row has it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct StoredKey {
    pub kid: String,
    pub state: KeyState,
    pub public_key: Vec<u8>,
    pub sealed_private: Vec<u8>,
    pub created_at: DateTime<Utc>,
    pub activated_at: Option<DateTime<Utc>>,
}

/// What signs tokens.
#[derive(Clone)]
pub(crate) struct Signer {
    header: Header,
    key: EncodingKey,
}

impl Signer {
    fn new(algorithm: Algorithm, kid: Option<String>, key: EncodingKey) -> Self {
        // RFC 9068 §2.1.
        Self {
            header: Header {
                typ: Some("at+jwt".to_owned()),
                kid,
                ..Header::new(algorithm)
            },
            key,
        }
    }

    pub(crate) fn sign(&self, claims: &auth::Claims) -> Result<String, jsonwebtoken::errors::Error> {
        jsonwebtoken::encode(&self.header, claims, &self.key)
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer")
            .field("kid", &self.header.kid)
            .finish_non_exhaustive()
    }
}

/// What this service signs with, and what it publishes for others to verify with.
#[derive(Clone, Debug)]
pub(crate) struct SigningKeys {
    pub signer: Signer,
    /// The JWK Set (RFC 7517 §5).
    pub jwks: Value,
    /// The same for this service's own verifier.
    pub verification: Keys,
}

/// Opens the keys in the database, or makes the first ones. With a shared secret there is nothing to open and nothing to
/// publish.
pub(crate) async fn load_or_make(
    source: &KeySource,
    db: &Db,
    seals: &Seals,
    clock: &Clock,
) -> Result<SigningKeys, StartError> {
    if let KeySource::Secret(secret) = source {
        tracing::warn!("JWT_SECRET is set: every service that has it can sign tokens for anyone");
        return Ok(SigningKeys {
            signer: Signer::new(Algorithm::HS256, None, EncodingKey::from_secret(secret.expose())),
            jwks: json!({"keys": []}),
            verification: Keys::fixed(secret.clone().into()),
        });
    }
    let mut tx = db.begin().await?;
    for state in [KeyState::Active, KeyState::Next] {
        // Another replica that starts at the same time may have made it: then that one counts.
        SigningKeyRows(&mut tx)
            .add_unless_there(&generate(state, seals, clock.now())?)
            .await?;
    }
    let stored = SigningKeyRows(&mut tx).all().await?;
    let mut signer = None;
    for key in &stored {
        let opened = seals.open(&purpose(&key.kid), &key.sealed_private)?;
        if let Some(resealed) = opened.resealed {
            SigningKeyRows(&mut tx).reseal(&key.kid, &resealed).await?;
        }
        if key.state == KeyState::Active {
            let encoding = EncodingKey::from_ed_der(&opened.secret);
            signer = Some(Signer::new(Algorithm::EdDSA, Some(key.kid.clone()), encoding));
        }
    }
    tx.commit().await?;
    let jwks = json!({"keys": stored.iter().map(|key| jwk(&key.kid, &key.public_key)).collect::<Vec<_>>()});
    let set = KeySet::from_jwks(jwks.to_string().as_bytes(), &[Algorithm::EdDSA])?;
    let signer = signer.ok_or(StartError::NoActiveKey)?;
    Ok(SigningKeys {
        signer,
        jwks,
        verification: Keys::fixed(set),
    })
}

fn generate(state: KeyState, seals: &Seals, now: DateTime<Utc>) -> Result<StoredKey, StartError> {
    let pair = Ed25519KeyPair::generate().map_err(|_| StartError::NoRandomness)?;
    let private = pair.to_pkcs8().map_err(|_| StartError::NoRandomness)?;
    let public_key = pair.public_key().as_ref().to_vec();
    let kid = thumbprint(&public_key);
    Ok(StoredKey {
        sealed_private: seals.seal(&purpose(&kid), private.as_ref())?,
        kid,
        state,
        public_key,
        created_at: now,
        activated_at: (state == KeyState::Active).then_some(now),
    })
}

/// What a sealed private key is bound to, so that no row's key can be put in another's place.
fn purpose(kid: &str) -> String {
    format!("signing key {kid}")
}

fn jwk(kid: &str, public_key: &[u8]) -> Value {
    let x = URL_SAFE_NO_PAD.encode(public_key);
    json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid, "x": x})
}

/// The key's own hash (RFC 7638 §3, RFC 8037 §2).
fn thumbprint(public_key: &[u8]) -> String {
    let canonical = format!(
        r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#,
        URL_SAFE_NO_PAD.encode(public_key)
    );
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, canonical.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_by_its_thumbprint() {
        // RFC 8037 appendix A.3.
        let public_key = URL_SAFE_NO_PAD
            .decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
            .unwrap();
        assert_eq!(
            thumbprint(&public_key),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
    }
}
