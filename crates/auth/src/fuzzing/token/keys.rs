//! The keys of the issuers: the same in each run, so that an input stays what it was.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::json;

use super::issuers::ISSUERS;
use crate::keys::{KeySet, Keys, SharedSecret};

/// The id of every key. Issuers may choose the same id, so a key must be found by its issuer and its id.
pub(super) const ID: &str = "k";

enum Signer {
    KeyPair(Ed25519KeyPair),
    Secret(hmac::Key),
}

static SIGNERS: LazyLock<Vec<Signer>> = LazyLock::new(|| {
    let signer = |index: usize| {
        if ISSUERS[index].has_secret {
            return Signer::Secret(hmac::Key::new(hmac::HMAC_SHA256, secret(index).as_bytes()));
        }
        let seed = [u8::try_from(index).expect("few issuers") + 1; 32];
        Signer::KeyPair(Ed25519KeyPair::from_seed_unchecked(&seed).expect("32 bytes"))
    };
    (0..ISSUERS.len()).map(signer).collect()
});

fn secret(index: usize) -> String {
    format!("abcdefghijklmnopqrstuvwxyz-0123456789-{index}")
}

/// The keys that verify the tokens of this issuer.
pub(super) fn verifying(index: usize) -> Keys {
    let Signer::KeyPair(pair) = &SIGNERS[index] else {
        let secret = SharedSecret::new(secret(index).into()).expect("a strong secret");
        return Keys::new(secret.into());
    };
    let x = URL_SAFE_NO_PAD.encode(pair.public_key());
    let jwks = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": ID, "x": x}]});
    let set = KeySet::from_jwks(jwks.to_string().as_bytes(), &[Algorithm::EdDSA]);
    Keys::new(set.expect("a usable key"))
}

/// A token with this header and payload, signed by this issuer.
pub(super) fn sign(index: usize, header: &str, payload: &str) -> Vec<u8> {
    let [header, payload] = [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part));
    let input = format!("{header}.{payload}");
    let signature = match &SIGNERS[index] {
        Signer::Secret(key) => URL_SAFE_NO_PAD.encode(hmac::sign(key, input.as_bytes())),
        Signer::KeyPair(pair) => URL_SAFE_NO_PAD.encode(pair.sign(input.as_bytes())),
    };
    format!("{input}.{signature}").into_bytes()
}

/// Whether the issuer's key made this signature.
pub(super) fn has_signed(index: usize, input: &[u8], signature: &[u8]) -> bool {
    match &SIGNERS[index] {
        Signer::Secret(key) => hmac::verify(key, input, signature).is_ok(),
        Signer::KeyPair(pair) => UnparsedPublicKey::new(&ED25519, pair.public_key())
            .verify(input, signature)
            .is_ok(),
    }
}
