//! Which tokens a verifier admits and refuses, and that a cached token is checked again each time.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed expectation fails the test"
)]

mod cached_tokens;
mod claims;
mod encoding;
#[path = "../forge/mod.rs"]
mod forge;

use std::sync::Barrier;

use auth::testing::Issuer;
use auth::{
    AuthError, Keys, MAX_TOKEN_BYTES, Principal, Profile, Revocation, Revocations, TokenFault, Verifier,
};
use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use uuid::Uuid;

use forge::{Forge, KID, SERVICE, claims, header, jwk, with};

const SECRET: &str = "abcdefghijklmnopqrstuvwxyz012345";

fn without(mut object: Value, member: &str) -> Value {
    object.as_object_mut().unwrap().remove(member).unwrap();
    object
}

/// The object's text with one member written a second time.
fn twice(object: &Value, member: &str) -> String {
    let text = object.to_string();
    format!(
        "{},\"{member}\":{}}}",
        text.strip_suffix('}').unwrap(),
        object[member]
    )
}

#[track_caller]
fn assert_refused(forge: &Forge, token: &str, fault: TokenFault) {
    assert_eq!(
        forge.verify(token),
        Err(AuthError::InvalidToken(fault)),
        "{token}"
    );
}

#[track_caller]
fn assert_admitted(forge: &Forge, token: &str) {
    assert!(forge.verify(token).is_ok(), "{:?}: {token}", forge.verify(token));
}
