//! Tokens like those of user-service, and a verifier like that of every service, with keys of this program. The feature `testing`
//! of `auth` could sign too, but it would change the measured crate.

use std::rc::Rc;

use auth::{
    Algorithm, Claims, Clock, KeySet, Keys, Profile, Revocation, Revocations, SharedSecret, Verifier,
};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header};
use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;

use crate::Failure;

/// The number of valid tokens, and of revocations.
pub const COUNT: usize = 10_000;

/// The issuer of the tokens.
pub const ISSUER: &str = "http://localhost:8080";
/// Their audience.
pub const AUDIENCE: &str = "platform";
/// The longest lifetime that user-service allows, in seconds: a day.
const LIFETIME: i64 = 86_400;
const KEY_ID: &str = "4a3c6f0e-5f0b-4f6e-9a57-2d8f6a1f3b9c";

/// Signs tokens.
pub struct Signer {
    header: Header,
    encoding: EncodingKey,
    keys: KeySet,
    bare_check: BareCheck,
    key: VerificationKey,
}

/// The key with which other programs verify the tokens.
#[derive(Debug)]
pub enum VerificationKey {
    /// A key set.
    KeySet(String),
    /// A shared secret.
    Secret(SecretString),
}

/// Checks a signature with the cryptographic library alone. The arguments are the signed bytes and the signature.
pub type BareCheck = Rc<dyn Fn(&[u8], &[u8]) -> bool>;

impl Signer {
    /// Signs with a key pair, the default of user-service.
    pub fn eddsa() -> Result<Self, Failure> {
        let pair = Ed25519KeyPair::generate()?;
        let public = ParsedPublicKey::new(&ED25519, pair.public_key())?;
        let x = URL_SAFE_NO_PAD.encode(pair.public_key());
        let jwks = json!({"keys": [
            {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": KEY_ID, "x": x}
        ]});
        Ok(Self {
            header: header(Algorithm::EdDSA, Some(KEY_ID)),
            encoding: EncodingKey::from_ed_der(pair.to_pkcs8()?.as_ref()),
            keys: KeySet::from_jwks(jwks.to_string().as_bytes(), &[Algorithm::EdDSA])?,
            bare_check: Rc::new(move |signed, signature| public.verify_sig(signed, signature).is_ok()),
            key: VerificationKey::KeySet(jwks.to_string()),
        })
    }

    /// Signs with a shared secret, as user-service does with `JWT_SECRET`.
    pub fn hs256() -> Result<Self, Failure> {
        let text = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let text = SecretString::from(text);
        let secret = SharedSecret::new(text.clone())?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
        Ok(Self {
            header: header(Algorithm::HS256, None),
            encoding: EncodingKey::from_secret(secret.expose()),
            bare_check: Rc::new(move |signed, signature| hmac::verify(&key, signed, signature).is_ok()),
            keys: secret.into(),
            key: VerificationKey::Secret(text),
        })
    }

    /// The signature check alone.
    #[must_use]
    pub fn bare_check(&self) -> BareCheck {
        Rc::clone(&self.bare_check)
    }

    /// The key with which other programs verify the tokens.
    #[must_use]
    pub fn verification_key(&self) -> &VerificationKey {
        &self.key
    }

    /// [`COUNT`] tokens of different users.
    pub fn tokens(&self) -> Result<Vec<String>, Failure> {
        self.sign(&claims())
    }

    /// A token for each of these claims.
    pub fn sign(&self, claims: &[Claims]) -> Result<Vec<String>, Failure> {
        let sign = |claims| Ok(jsonwebtoken::encode(&self.header, claims, &self.encoding)?);
        claims.iter().map(sign).collect()
    }

    /// A verifier with an empty cache.
    #[must_use]
    pub fn verifier(&self, revocations: &Revocations) -> Verifier {
        let profile = Profile::countersign("product-service").audiences([AUDIENCE]);
        Verifier::builder(ISSUER, Keys::new(self.keys.clone()), profile)
            .revocations(revocations.clone())
            .build()
    }
}

/// The claims of [`COUNT`] different users.
#[must_use]
pub fn claims() -> Vec<Claims> {
    let now = Clock::system().unix();
    (0..COUNT).map(|_| claims_of_a_user(now)).collect()
}

/// A set of [`COUNT`] revocations. None affects a token of a [`Signer`].
#[must_use]
pub fn revocations() -> Revocations {
    set_of(list(COUNT))
}

/// A set of these revocations.
#[must_use]
pub fn set_of(list: Vec<Revocation>) -> Revocations {
    let revocations = Revocations::new(Clock::system(), Revocations::DEFAULT_CAPACITY);
    for revocation in list {
        revocations.apply(revocation);
    }
    revocations
}

/// This number of revocations, of sessions and users in alternation, for a day.
#[must_use]
pub fn list(count: usize) -> Vec<Revocation> {
    let expires_at = Clock::system().unix() + LIFETIME;
    let revocation = |number: usize| {
        let id = Uuid::new_v4();
        if number.is_multiple_of(2) {
            Revocation::Session { id, expires_at }
        } else {
            Revocation::User {
                id,
                epoch: 1,
                expires_at,
            }
        }
    };
    (0..count).map(revocation).collect()
}

fn header(algorithm: Algorithm, key_id: Option<&str>) -> Header {
    Header {
        typ: Some("at+jwt".to_owned()),
        kid: key_id.map(str::to_owned),
        ..Header::new(algorithm)
    }
}

fn claims_of_a_user(now: i64) -> Claims {
    let id = Uuid::new_v4();
    Claims {
        iss: ISSUER.to_owned(),
        sub: id.to_string(),
        aud: vec![AUDIENCE.to_owned()],
        exp: now + LIFETIME,
        nbf: None,
        iat: now,
        jti: Uuid::new_v4().to_string(),
        client_id: "countersign".to_owned(),
        sid: Some(Uuid::new_v4()),
        epoch: Some(0),
        email: Some(format!("{}@example.com", id.simple())),
        name: Some("Ada Lovelace".to_owned()),
        roles: Some(vec!["user".to_owned()]),
        scope: "products:write orders:write".to_owned(),
    }
}
