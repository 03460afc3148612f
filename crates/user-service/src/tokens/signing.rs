//! Key pairs, their public forms, and signing with a private key.

use auth::{Algorithm, SharedSecret};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

use crate::domain::{SigningAlgorithm, sha256};

/// The media type of a token (RFC 9068 §2.1).
const TOKEN_TYPE: &str = "at+jwt";

/// Signs tokens with one key.
#[derive(Clone)]
pub(crate) struct Signer {
    header: Header,
    key: EncodingKey,
}

impl Signer {
    /// Signs with a private key in PKCS #8.
    pub(super) fn with_private_key(algorithm: SigningAlgorithm, kid: &str, pkcs8: &[u8]) -> Self {
        let key = match algorithm {
            SigningAlgorithm::EdDsa => EncodingKey::from_ed_der(pkcs8),
            // Only the private key is in DER. Signatures are r || s in 64 bytes, as a JWS requires (RFC 7518 §3.4).
            SigningAlgorithm::Es256 => EncodingKey::from_ec_der(pkcs8),
        };
        Self::new(jws_algorithm(algorithm), Some(kid.to_owned()), key)
    }

    /// Signs with the shared secret (HS256).
    pub(super) fn with_shared_secret(secret: &SharedSecret) -> Self {
        Self::new(Algorithm::HS256, None, EncodingKey::from_secret(secret.expose()))
    }

    fn new(algorithm: Algorithm, kid: Option<String>, key: EncodingKey) -> Self {
        let header = Header {
            typ: Some(TOKEN_TYPE.to_owned()),
            kid,
            ..Header::new(algorithm)
        };
        Self { header, key }
    }

    /// The id of the key. A shared secret has no id.
    pub(super) fn kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    pub(super) fn sign(&self, claims: &auth::Claims) -> Result<String, jsonwebtoken::errors::Error> {
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

/// A key pair could not be generated or encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a signing key can't be generated")]
pub(crate) struct KeyGenerationFailed;

/// A new key pair.
pub(super) struct NewKeyPair {
    /// An Ed25519 public key, or an uncompressed P-256 point.
    pub public_key: Vec<u8>,
    /// The private key in PKCS #8.
    pub pkcs8: Vec<u8>,
}

impl NewKeyPair {
    pub(super) fn generate(algorithm: SigningAlgorithm) -> Result<Self, KeyGenerationFailed> {
        let (public_key, pkcs8) = match algorithm {
            SigningAlgorithm::EdDsa => {
                let pair = Ed25519KeyPair::generate().map_err(|_| KeyGenerationFailed)?;
                let pkcs8 = pair.to_pkcs8().map_err(|_| KeyGenerationFailed)?;
                (pair.public_key().as_ref().to_vec(), pkcs8.as_ref().to_vec())
            }
            SigningAlgorithm::Es256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                    .map_err(|_| KeyGenerationFailed)?;
                let pkcs8 = pair.to_pkcs8v1().map_err(|_| KeyGenerationFailed)?;
                (pair.public_key().as_ref().to_vec(), pkcs8.as_ref().to_vec())
            }
        };
        Ok(Self { public_key, pkcs8 })
    }
}

/// The algorithm as the `auth` crate names it.
pub(super) fn jws_algorithm(algorithm: SigningAlgorithm) -> Algorithm {
    match algorithm {
        SigningAlgorithm::EdDsa => Algorithm::EdDSA,
        SigningAlgorithm::Es256 => Algorithm::ES256,
    }
}

/// The public key as a JWK: its required members, and `use`, `alg` and `kid`, by which verifiers choose a key (RFC 7517 §4).
pub(super) fn jwk(algorithm: SigningAlgorithm, kid: &str, public_key: &[u8]) -> Value {
    let mut jwk = required_members(algorithm, public_key);
    if let Value::Object(members) = &mut jwk {
        members.insert("use".to_owned(), "sig".into());
        members.insert("alg".to_owned(), algorithm.name().into());
        members.insert("kid".to_owned(), kid.into());
    }
    jwk
}

/// The key's id: the hash of its required members, in lexicographic order (RFC 7638 §3, RFC 8037 §2).
pub(super) fn thumbprint(algorithm: SigningAlgorithm, public_key: &[u8]) -> String {
    let canonical = required_members(algorithm, public_key).to_string();
    URL_SAFE_NO_PAD.encode(sha256(canonical.as_bytes()))
}

/// The required members, in lexicographic order.
fn required_members(algorithm: SigningAlgorithm, public_key: &[u8]) -> Value {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    match algorithm {
        SigningAlgorithm::EdDsa => json!({"crv": "Ed25519", "kty": "OKP", "x": encode(public_key)}),
        SigningAlgorithm::Es256 => {
            // An uncompressed point is 4, x, y, with 32 bytes for each coordinate (SEC 1 §2.3.3).
            let (x, y) = public_key
                .get(1..)
                .unwrap_or_default()
                .split_at_checked(32)
                .unwrap_or_default();
            json!({"crv": "P-256", "kty": "EC", "x": encode(x), "y": encode(y)})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    #[test]
    fn an_ed25519_key_is_named_by_its_thumbprint() {
        // RFC 8037 appendix A.3.
        let public_key = decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(
            thumbprint(SigningAlgorithm::EdDsa, &public_key),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
    }

    #[test]
    fn a_p256_key_is_published_with_both_coordinates_and_named_by_its_thumbprint() {
        // The key of RFC 7517 appendix A.1.
        let (x, y) = (
            "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        );
        let public_key = [vec![4], decode(x), decode(y)].concat();
        assert_eq!(
            jwk(SigningAlgorithm::Es256, "k", &public_key),
            json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "k", "x": x, "y": y})
        );
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        assert_eq!(
            decode(&thumbprint(SigningAlgorithm::Es256, &public_key)),
            sha256(canonical.as_bytes())
        );
    }

    #[test]
    fn a_signature_has_64_bytes_with_either_algorithm() {
        for algorithm in [SigningAlgorithm::EdDsa, SigningAlgorithm::Es256] {
            let pair = NewKeyPair::generate(algorithm).unwrap();
            let signer = Signer::with_private_key(algorithm, "k", &pair.pkcs8);
            let token = jsonwebtoken::encode(&signer.header, &json!({"sub": "ada"}), &signer.key).unwrap();
            let (_, signature) = token.rsplit_once('.').unwrap();
            assert_eq!(decode(signature).len(), 64, "{algorithm}");
        }
    }
}
