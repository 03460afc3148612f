//! Changes by an attacker without a key: no changed token may be admitted.

use std::cell::Cell;

use auth::AuthError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use crate::forge::{self, Forge, KID, SERVICE, claims, header, with};
use crate::runner;

/// A change to a token's text by an attacker who has no key.
#[derive(Clone, Debug)]
enum Tampering {
    Flip(Index, u8),
    Insert(Index, char),
    Delete(Index),
    Cut(Index),
    Swap(usize, usize),
    Repeat(usize),
    Drop(usize),
    Replace(usize, String),
    Pad(usize),
    StrayBits(usize, u8),
    Surround(&'static str, &'static str),
    Concatenate(&'static str),
    Graft(usize),
    Edit {
        part: usize,
        member: &'static str,
        value: Value,
    },
    Unsign(&'static str),
    SignWithPublicKey {
        encoding: usize,
        algorithm: Algorithm,
    },
    SignWithOwnKey,
}

fn tamperings() -> impl Strategy<Value = Tampering> {
    let at = any::<Index>;
    let part = || 0..3_usize;
    let member = select(vec![
        "alg",
        "kid",
        "typ",
        "crit",
        "jwk",
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "client_id",
        "sid",
        "epoch",
        "roles",
        "scope",
        "extra",
    ]);
    let value = select(vec![
        json!(null),
        json!("none"),
        json!("HS256"),
        json!("JWT"),
        json!(["admin"]),
        json!(4_102_444_800_u64),
        json!(0),
        json!(KID),
        json!("platform"),
        json!(["platform", SERVICE]),
        json!(SERVICE),
        json!({}),
    ]);
    let around = || {
        select(vec![
            "", " ", "\n", "\r\n", "\t", "=", ".", "\0", "\u{feff}", "\u{a0}", "Bearer ",
        ])
    };
    prop_oneof![
        (at(), 1..=127_u8).prop_map(|(at, mask)| Tampering::Flip(at, mask)),
        (at(), any::<char>()).prop_map(|(at, character)| Tampering::Insert(at, character)),
        at().prop_map(Tampering::Delete),
        at().prop_map(Tampering::Cut),
        (part(), part()).prop_map(|(a, b)| Tampering::Swap(a, b)),
        part().prop_map(Tampering::Repeat),
        part().prop_map(Tampering::Drop),
        (part(), "[A-Za-z0-9_-]{0,90}").prop_map(|(part, text)| Tampering::Replace(part, text)),
        part().prop_map(Tampering::Pad),
        (part(), 1..16_u8).prop_map(|(part, bits)| Tampering::StrayBits(part, bits)),
        (around(), around()).prop_map(|(before, after)| Tampering::Surround(before, after)),
        select(vec!["", ".", ",", " ", "\n"]).prop_map(Tampering::Concatenate),
        part().prop_map(Tampering::Graft),
        (0..2_usize, member, value).prop_map(|(part, member, value)| Tampering::Edit { part, member, value }),
        select(vec!["none", "None", "NONE", "EdDSA"]).prop_map(Tampering::Unsign),
        (
            0..3_usize,
            select(vec![Algorithm::HS256, Algorithm::HS384, Algorithm::HS512])
        )
            .prop_map(|(encoding, algorithm)| Tampering::SignWithPublicKey { encoding, algorithm }),
        Just(Tampering::SignWithOwnKey),
    ]
}

impl Tampering {
    /// Returns the changed token. `other` is another valid token with the same key.
    fn apply(&self, forge: &Forge, token: &str, other: &str) -> String {
        let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
        let mut text = token.to_owned();
        match self {
            Self::Flip(at, mask) => {
                let mut bytes = text.into_bytes();
                let at = at.index(bytes.len());
                bytes[at] ^= mask;
                return String::from_utf8(bytes).unwrap();
            }
            Self::Insert(at, character) => {
                text.insert(at.index(text.len() + 1), *character);
                return text;
            }
            Self::Delete(at) => {
                text.remove(at.index(text.len()));
                return text;
            }
            Self::Cut(at) => {
                text.truncate(at.index(text.len()));
                return text;
            }
            Self::Surround(before, after) => return format!("{before}{token}{after}"),
            Self::Concatenate(between) => return format!("{token}{between}{other}"),
            Self::Unsign(alg) => {
                return format!("{}.{}.", encode(&with(header(), "alg", json!(alg))), parts[1]);
            }
            Self::SignWithPublicKey { encoding, algorithm } => {
                return forge.sign_with_public_key(*encoding, *algorithm);
            }
            Self::SignWithOwnKey => {
                let attacker = Forge::new();
                return attacker.seal(&format!("{}.{}", encode(&header()), parts[1]));
            }
            Self::Swap(a, b) => parts.swap(*a, *b),
            Self::Repeat(part) => parts.insert(*part, parts[*part].clone()),
            Self::Drop(part) => drop(parts.remove(*part)),
            Self::Replace(part, text) => parts[*part].clone_from(text),
            Self::Pad(part) => parts[*part].push('='),
            Self::StrayBits(part, bits) => parts[*part] = with_stray_bits(&parts[*part], *bits),
            Self::Graft(part) => other.split('.').nth(*part).unwrap().clone_into(&mut parts[*part]),
            Self::Edit { part, member, value } => {
                // An earlier change may have moved the signature to this part.
                let json = URL_SAFE_NO_PAD.decode(&parts[*part]).unwrap();
                if let Ok(object @ Value::Object(_)) = serde_json::from_slice(&json) {
                    parts[*part] = encode(&with(object, member, value.clone()));
                }
            }
        }
        parts.join(".")
    }
}

impl Forge {
    /// Signs with the public key, in one of its encodings, as an HMAC secret (RFC 8725 §2.1).
    fn sign_with_public_key(&self, encoding: usize, algorithm: Algorithm) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.public_key());
        let jwk = forge::jwk(self.public_key()).to_string();
        let secret = [self.public_key(), x.as_bytes(), jwk.as_bytes()][encoding];
        let header = Header {
            typ: Some("at+jwt".to_owned()),
            kid: Some(KID.to_owned()),
            ..Header::new(algorithm)
        };
        let claims = claims(&self.issuer.as_admin());
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret)).unwrap()
    }
}

fn encode(object: &Value) -> String {
    URL_SAFE_NO_PAD.encode(object.to_string())
}

/// Changes unused low bits of the last character. A lenient decoder reads the same bytes.
fn with_stray_bits(part: &str, bits: u8) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = part.split_at(part.len() - 1);
    let index = ALPHABET
        .iter()
        .position(|letter| [*letter] == last.as_bytes())
        .unwrap();
    format!("{rest}{}", ALPHABET[index ^ usize::from(bits)] as char)
}

#[test]
fn no_changed_token_is_admitted() {
    let changed = Cell::new(0);
    let (forge, strategy) = (
        Forge::new(),
        (any::<bool>(), proptest::collection::vec(tamperings(), 1..3)),
    );
    let sign = |is_user: bool| {
        let test_token = if is_user {
            forge.issuer.as_user()
        } else {
            forge.issuer.as_service("gateway")
        };
        forge.token(&header(), &claims(&test_token))
    };
    runner(2_000)
        .run(&strategy, |(is_user, tampering)| {
            let (token, other) = (sign(is_user), sign(is_user));
            // A change may have no effect, and the second may undo the first.
            let first = tampering[0].apply(&forge, &token, &other);
            let mutated = match tampering.get(1) {
                Some(second)
                    if first.split('.').count() == 3 && first.split('.').all(is_object_or_signature) =>
                {
                    second.apply(&forge, &first, &other)
                }
                _ => first,
            };
            if mutated == token || mutated == other {
                return Ok(());
            }
            changed.set(changed.get() + 1);
            let verdict = forge.verify(&mutated);
            prop_assert!(
                matches!(verdict, Err(AuthError::InvalidToken(_))),
                "{verdict:?}: {mutated}"
            );
            Ok(())
        })
        .unwrap();
    assert!(changed.get() > 1_500, "{}", changed.get());
}

/// Whether a second change can be applied to this part.
fn is_object_or_signature(part: &str) -> bool {
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(part) else {
        return false;
    };
    bytes.len() == 64 || serde_json::from_slice::<serde_json::Map<String, Value>>(&bytes).is_ok()
}
