//! Signs tokens with RS256, as most issuers do.

use auth::{Algorithm, AuthError, Clock, KeySet, Keys, Principal, Profile, Verifier};
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::shapes::Shape;

pub const KID: &str = "key-1";

/// An RSA key with 2048 bits.
pub struct Signer {
    pair: KeyPair,
    pub jwk: Value,
    pub pem: String,
    pub clock: Clock,
}

impl Signer {
    pub fn new() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let public = pair.public_key();
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let jwk = json!({
            "kty": "RSA", "use": "sig", "kid": KID,
            "n": number(public.modulus().big_endian_without_leading_zero()),
            "e": number(public.exponent().big_endian_without_leading_zero()),
        });
        let info: PublicKeyX509Der<'_> = public.as_der().unwrap();
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            wrapped(&STANDARD.encode(info.as_ref()))
        );
        Self {
            jwk,
            pem,
            pair,
            clock: Clock::fixed(),
        }
    }

    pub fn keys(&self) -> Keys {
        let jwks = json!({"keys": [self.jwk]}).to_string();
        Keys::new(KeySet::from_jwks(jwks.as_bytes(), &[Algorithm::RS256]).unwrap())
    }

    pub fn verifier(&self, profile: &Profile, issuer: &str) -> Verifier {
        Verifier::builder(issuer, self.keys(), profile.clone())
            .clock(self.clock.clone())
            .build()
    }

    /// A token that expires in five minutes, unless the claims say otherwise.
    pub fn token(&self, typ: Option<&str>, claims: &Value) -> String {
        let mut claims = claims.clone();
        let claims = claims.as_object_mut().unwrap();
        claims
            .entry("exp")
            .or_insert_with(|| json!(self.clock.unix() + 300));
        if claims["exp"].is_null() {
            claims.remove("exp");
        }
        if claims.contains_key("nbf") {
            claims.insert("nbf".to_owned(), json!(self.clock.unix()));
        }
        let mut header = json!({"alg": "RS256", "kid": KID});
        if let Some(typ) = typ {
            header["typ"] = json!(typ);
        }
        let part = |json: String| URL_SAFE_NO_PAD.encode(json);
        let signed = format!("{}.{}", part(header.to_string()), part(json!(claims).to_string()));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    pub fn verify(&self, profile: &Profile, shape: &Shape, claims: &Value) -> Result<Principal, AuthError> {
        self.verifier(profile, shape.issuer)
            .verify_with_current_keys(&self.token(shape.typ, claims))
    }
}

fn wrapped(base64: &str) -> String {
    let lines: Vec<_> = base64
        .as_bytes()
        .chunks(64)
        .map(String::from_utf8_lossy)
        .collect();
    lines.join("\n")
}
