//! The keys of the test issuer. Outside user-service, only this file and the benchmarks can sign tokens.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::SecretString;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::keys::{KeySet, SharedSecret};

#[derive(Clone)]
pub(super) struct SigningKey {
    pub key_set: KeySet,
    pub jwks: Value,
    algorithm: Algorithm,
    id: Option<String>,
    encoding: EncodingKey,
}

impl SigningKey {
    pub fn ed25519() -> Self {
        let pair = Ed25519KeyPair::generate().expect("a random key");
        let document = pair.to_pkcs8().expect("an encoded key");
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let public_key = [("kty", "OKP"), ("crv", "Ed25519"), ("x", &x)];
        Self::asymmetric(
            Algorithm::EdDSA,
            public_key,
            EncodingKey::from_ed_der(document.as_ref()),
        )
    }

    pub fn p256() -> Self {
        let signing = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(signing, &SystemRandom::new()).expect("a random key");
        let pair = EcdsaKeyPair::from_pkcs8(signing, document.as_ref()).expect("the key just generated");
        // An uncompressed point: the byte 4, then x, then y.
        let point = pair.public_key().as_ref();
        let coordinate = |range| URL_SAFE_NO_PAD.encode(point.get(range).expect("65 bytes"));
        let (x, y) = (coordinate(1..33), coordinate(33..65));
        let public_key = [("kty", "EC"), ("crv", "P-256"), ("x", &x), ("y", &y)];
        Self::asymmetric(
            Algorithm::ES256,
            public_key,
            EncodingKey::from_ec_der(document.as_ref()),
        )
    }

    /// A key whose public key has these JWK members.
    fn asymmetric<const N: usize>(
        algorithm: Algorithm,
        public_key: [(&str, &str); N],
        encoding: EncodingKey,
    ) -> Self {
        let id = Uuid::new_v4().to_string();
        // `Debug` of an algorithm is its name in RFC 7518 §3.1.
        let alg = format!("{algorithm:?}");
        let metadata = [("use", "sig"), ("alg", &alg), ("kid", &id)];
        let jwk: Value = public_key
            .into_iter()
            .chain(metadata)
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect();
        let jwks = json!({"keys": [jwk]});
        Self {
            key_set: KeySet::from_jwks(jwks.to_string().as_bytes(), &[algorithm]).expect("a usable key"),
            jwks,
            algorithm,
            id: Some(id),
            encoding,
        }
    }

    pub fn hs256(secret: &str) -> Self {
        let secret = SharedSecret::new(SecretString::from(secret)).expect("a strong secret");
        Self {
            algorithm: Algorithm::HS256,
            id: None,
            encoding: EncodingKey::from_secret(secret.expose()),
            key_set: secret.into(),
            jwks: json!({"keys": []}),
        }
    }

    /// Another random key for the same algorithm.
    pub fn another(&self) -> Self {
        match self.algorithm {
            Algorithm::HS256 => Self::hs256(&format!("{}{}", Uuid::new_v4(), Uuid::new_v4())),
            Algorithm::ES256 => Self::p256(),
            _ => Self::ed25519(),
        }
    }

    pub fn header(&self) -> Header {
        Header {
            typ: Some("at+jwt".to_owned()),
            kid: self.id.clone(),
            ..Header::new(self.algorithm)
        }
    }

    pub fn sign(&self, header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &self.encoding).expect("a header with the key's algorithm")
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
