//! Signs any header and payload, also ones that an honest issuer never would, with a key that the verifier trusts.

use auth::testing::{Issuer, TestToken};
use auth::{Algorithm, AuthError, KeySet, Keys, Principal, Verifier};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The service that verifies.
pub const SERVICE: &str = "order-service";
/// The id of the forge's key.
pub const KID: &str = "k";

pub struct Forge {
    pub issuer: Issuer,
    pub verifier: Verifier,
    pair: Ed25519KeyPair,
}

impl Forge {
    pub fn new() -> Self {
        let issuer = Issuer::new(SERVICE);
        let pair = Ed25519KeyPair::generate().unwrap();
        let jwks = json!({"keys": [jwk(pair.public_key().as_ref())]}).to_string();
        let keys = KeySet::from_jwks(jwks.as_bytes(), &[Algorithm::EdDSA]).unwrap();
        Self {
            verifier: issuer.verifier_with(Keys::new(keys)),
            issuer,
            pair,
        }
    }

    /// The 32 bytes of the public key.
    pub fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// A signed token with this header and these claims.
    pub fn token(&self, header: &Value, claims: &Value) -> String {
        self.sign(header.to_string(), claims.to_string())
    }

    /// A signed token with any bytes as header and payload.
    pub fn sign(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        self.seal(&format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(payload)
        ))
    }

    /// Any text, followed by its signature.
    pub fn seal(&self, signed: &str) -> String {
        format!(
            "{signed}.{}",
            URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes()))
        )
    }

    pub fn verify(&self, token: &str) -> Result<Principal, AuthError> {
        self.verifier.verify_with_current_keys(token)
    }

    /// The time of the verifier's clock, in Unix seconds.
    pub fn now(&self) -> i64 {
        self.issuer.clock().unix()
    }
}

/// A public key as a JWK.
pub fn jwk(x: &[u8]) -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "kid": KID, "x": URL_SAFE_NO_PAD.encode(x)})
}

/// A valid header.
pub fn header() -> Value {
    json!({"alg": "EdDSA", "kid": KID, "typ": "at+jwt"})
}

/// The claims of a test token.
pub fn claims(token: &TestToken) -> Value {
    serde_json::to_value(token.claims()).unwrap()
}

/// The object with a member set.
pub fn with(mut object: Value, member: &str, value: Value) -> Value {
    object.as_object_mut().unwrap().insert(member.to_owned(), value);
    object
}
