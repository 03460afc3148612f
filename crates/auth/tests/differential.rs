//! The verifier beside plain `jsonwebtoken`, told the same issuer, audiences and leeway. Whatever the verifier admits,
//! `jsonwebtoken` must admit as the same subject until the same time; and where the verifier alone refuses, the reason must
//! be one of those listed here.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at what can't be"
)]

mod forge;

use std::cell::Cell;

use auth::{AuthError, Principal, TokenFault};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use forge::{Forge, KID, SERVICE, claims, header, with};

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    })
}

/// What `jsonwebtoken` says of a token.
#[derive(Deserialize)]
struct Theirs {
    sub: Value,
    exp: Value,
}

fn theirs(forge: &Forge, token: &str) -> Result<Theirs, jsonwebtoken::errors::Error> {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&[forge.issuer.issuer()]);
    validation.set_audience(&["platform", SERVICE]);
    validation.set_required_spec_claims(&["iss", "sub", "aud", "exp"]);
    validation.validate_nbf = true;
    validation.leeway = 30;
    let key = DecodingKey::from_ed_der(forge.public_key());
    Ok(jsonwebtoken::decode(token, &key, &validation)?.claims)
}

fn assert_same(principal: &Principal, theirs: &Theirs) {
    match principal {
        Principal::User(user) => {
            assert_eq!(theirs.sub, user.id().to_string());
            // chrono's last year is before the end of 64 bits.
            let exp = whole_seconds(&theirs.exp)
                .unwrap()
                .min(DateTime::<Utc>::MAX_UTC.timestamp());
            assert_eq!(user.expires_at().timestamp(), exp);
        }
        Principal::Service(service) => assert_eq!(theirs.sub, service.name()),
    }
}

/// A `NumericDate` (RFC 7519 §2) without its fraction, if 64 bits can hold it.
fn whole_seconds(date: &Value) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    date.as_i64().or_else(|| {
        let seconds = date.as_f64().filter(|_| date.is_f64())?.floor();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a whole number within the range of i64"
        )]
        (-LIMIT..LIMIT).contains(&seconds).then_some(seconds as i64)
    })
}

#[test]
fn both_admit_what_an_issuer_signs() {
    let words = "[ -~]{0,20}|\\PC{0,10}";
    let tokens = (
        any::<bool>(),
        words,
        words,
        proptest::collection::vec(words, 0..4),
        any::<i64>(),
    );
    runner(200)
        .run(&tokens, |(is_person, name, scope, roles, epoch)| {
            let forge = Forge::new();
            let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
            let bearer = if is_person {
                forge.issuer.as_roles(&roles).name(&name).epoch(epoch)
            } else {
                forge.issuer.as_service(&format!("{name}-service"))
            };
            let token = forge.token(&header(), &claims(&bearer.scope(&scope)));
            assert_same(&forge.verify(&token).unwrap(), &theirs(&forge, &token).unwrap());
            Ok(())
        })
        .unwrap();
}

/// A change to a token's text by somebody who has no key.
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
        spelling: usize,
        algorithm: Algorithm,
    },
    SignWithOwnKey,
}

fn tampering() -> impl Strategy<Value = Tampering> {
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
            .prop_map(|(spelling, algorithm)| Tampering::SignWithPublicKey { spelling, algorithm }),
        Just(Tampering::SignWithOwnKey),
    ]
}

impl Tampering {
    /// The token after it; `other` is another good token of the same key.
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
            Self::SignWithPublicKey { spelling, algorithm } => {
                return forge.sign_with_public_key(*spelling, *algorithm);
            }
            Self::SignWithOwnKey => {
                let own = Forge::new();
                return own.seal(&format!("{}.{}", encode(&header()), parts[1]));
            }
            Self::Swap(a, b) => parts.swap(*a, *b),
            Self::Repeat(part) => parts.insert(*part, parts[*part].clone()),
            Self::Drop(part) => drop(parts.remove(*part)),
            Self::Replace(part, text) => parts[*part].clone_from(text),
            Self::Pad(part) => parts[*part].push('='),
            Self::StrayBits(part, bits) => parts[*part] = with_stray_bits(&parts[*part], *bits),
            Self::Graft(part) => other.split('.').nth(*part).unwrap().clone_into(&mut parts[*part]),
            Self::Edit { part, member, value } => {
                // An earlier change may have put the signature there.
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
    /// The old trick: the public key, as one finds it written, for a secret.
    fn sign_with_public_key(&self, spelling: usize, algorithm: Algorithm) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.public_key());
        let jwk = forge::jwk(self.public_key()).to_string();
        let secret = [self.public_key(), x.as_bytes(), jwk.as_bytes()][spelling];
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

/// The last character with other low bits: the same bytes to a lenient decoder, where the length leaves bits unused.
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
fn no_change_to_a_signed_token_is_admitted() {
    let changed = Cell::new(0);
    let (forge, strategy) = (
        Forge::new(),
        (any::<bool>(), proptest::collection::vec(tampering(), 1..3)),
    );
    let sign = |is_person: bool| {
        let bearer = if is_person {
            forge.issuer.as_user()
        } else {
            forge.issuer.as_service("gateway")
        };
        forge.token(&header(), &claims(&bearer))
    };
    runner(2_000)
        .run(&strategy, |(is_person, tampering)| {
            let (token, other) = (sign(is_person), sign(is_person));
            // A change can undo another, or find nothing to do.
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

/// Whether a second change finds in this part what it needs.
fn is_object_or_signature(part: &str) -> bool {
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(part) else {
        return false;
    };
    bytes.len() == 64 || serde_json::from_slice::<serde_json::Map<String, Value>>(&bytes).is_ok()
}

/// A JSON object as it is written: names and values as their JSON text, some of them perhaps twice.
type Members = Vec<(String, String)>;

/// A change by an issuer who signs what it wrote.
#[derive(Clone, Debug)]
enum Edit {
    Set(&'static str, String),
    Again(&'static str, String),
    Remove(&'static str),
    /// The name with its first letter escaped, which makes it no other name.
    Escape(&'static str),
}

impl Edit {
    fn apply(&self, members: &mut Members) {
        match self {
            Self::Set(name, value) => {
                members.retain(|(known, _)| decoded(known) != *name);
                members.push(((*name).to_owned(), value.clone()));
            }
            Self::Again(name, value) => members.push(((*name).to_owned(), value.clone())),
            Self::Remove(name) => members.retain(|(known, _)| decoded(known) != *name),
            Self::Escape(name) => {
                for (known, _) in members {
                    if known == name {
                        *known = format!("\\u{:04x}{}", u32::from(known.as_bytes()[0]), &known[1..]);
                    }
                }
            }
        }
    }
}

fn decoded(name: &str) -> String {
    serde_json::from_str(&format!("\"{name}\"")).unwrap()
}

fn members(object: &Value) -> Members {
    object
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), value.to_string()))
        .collect()
}

fn written(members: &Members) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn edits(
    names: Vec<&'static str>,
    value: impl Strategy<Value = String> + Clone + 'static,
) -> impl Strategy<Value = Vec<Edit>> {
    let name = select(names);
    let edit = prop_oneof![
        6 => (name.clone(), value.clone()).prop_map(|(name, value)| Edit::Set(name, value)),
        1 => (name.clone(), value).prop_map(|(name, value)| Edit::Again(name, value)),
        2 => name.clone().prop_map(Edit::Remove),
        1 => name.prop_map(Edit::Escape),
    ];
    prop_oneof![Just(Vec::new()), proptest::collection::vec(edit, 1..3)]
}

fn header_edits() -> impl Strategy<Value = Vec<Edit>> {
    let value = select(vec![
        "null",
        "\"k\"",
        "\"\"",
        "\"K\"",
        "\"at+jwt\"",
        "\"AT+JWT\"",
        "\"application/at+jwt\"",
        "\"JWT\"",
        "\"EdDSA\"",
        "\"ES256\"",
        "\"none\"",
        "[]",
        "[\"exp\"]",
        "[\"b64\"]",
        "5",
        "true",
        "{\"a\":[]}",
    ]);
    edits(
        vec!["alg", "kid", "typ", "crit", "b64", "extra"],
        value.prop_map(str::to_owned),
    )
}

fn claim_edits(now: i64) -> impl Strategy<Value = Vec<Edit>> {
    let texts = [
        "null",
        "true",
        "0",
        "-1",
        "1.5",
        "1e400",
        "-0.0",
        "18446744073709551615",
        "9223372036854775807",
        "9223372036854775808",
        "1e3",
        "4102444800.5",
        "\"\"",
        "\"platform\"",
        "\"Platform\"",
        "\"order-service\"",
        "\"gateway\"",
        "\"countersign\"",
        "\"http://localhost:8080\"",
        "\"http://localhost:8080/\"",
        "\"\\ud800\"",
        "\"\\u0070latform\"",
        "[]",
        "{}",
        "[\"platform\"]",
        "[\"platform\",\"order-service\"]",
        "[\"order-service\"]",
        "[\"else\"]",
        "[\"platform\",1]",
        "[[\"platform\"]]",
        "[\"http://localhost:8080\"]",
        "[\"admin\"]",
        "{\"platform\":1}",
        "\"0b0e0f0c-5a5b-4c5d-8e8f-0a0b0c0d0e0f\"",
        "\"0B0E0F0C5A5B4C5D8E8F0A0B0C0D0E0F\"",
    ];
    let mut values: Vec<String> = texts.map(str::to_owned).to_vec();
    // Clear of where one clock standing and the other going on makes a difference, save for the last second itself.
    values.extend([-3600, -31, -30, -20, 0, 20, 300].map(|offset| (now + offset).to_string()));
    // The same times with fractions. `jsonwebtoken` rounds them to the nearest second.
    values.extend([-31, -30, 300].map(|offset| format!("{}.25", now + offset)));
    values.push(format!("{}.0", now + 300));
    values.push(format!("{}0e-1", now + 300));
    values.push("[".repeat(500) + &"]".repeat(500));
    values.push(format!("\"{}\"", "long".repeat(2_000)));
    let names = vec![
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
        "email",
        "name",
        "roles",
        "scope",
        "extra",
    ];
    edits(names, select(values))
}

#[derive(Clone, Copy)]
enum Form {
    Text,
    Integer,
    Date,
    Id,
    Texts,
}

impl Form {
    fn has(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Integer => value.is_i64(),
            Self::Date => whole_seconds(value).is_some(),
            Self::Id => value.as_str().is_some_and(|id| Uuid::parse_str(id).is_ok()),
            Self::Texts => value
                .as_array()
                .is_some_and(|texts| texts.iter().all(Value::is_string)),
        }
    }
}

/// The one value of a member, where it is there once and can be read.
fn only(members: &Members, name: &str) -> Option<Value> {
    let mut values = members
        .iter()
        .filter(|(known, _)| decoded(known) == name)
        .map(|(_, value)| value);
    let value = serde_json::from_str(values.next()?).unwrap_or(Value::Null);
    values.next().is_none().then_some(value)
}

fn count(members: &Members, name: &str) -> usize {
    members.iter().filter(|(known, _)| decoded(known) == name).count()
}

/// Each claim that is read is there at most once and has its type, and those that a token can't lack are there.
fn is_well_formed(header: &Members, claims: &Members) -> bool {
    let required = |name, form: Form| only(claims, name).is_some_and(|value| form.has(&value));
    let optional = |name, form: Form, nullable: bool| match count(claims, name) {
        0 => true,
        1 => only(claims, name).is_some_and(|value| form.has(&value) || (nullable && is_null(claims, name))),
        _ => false,
    };
    let header_text = |name| match count(header, name) {
        0 => true,
        1 => only(header, name).is_some_and(|value| value.is_string() || value.is_null()),
        _ => false,
    };
    header_text("kid")
        && header_text("typ")
        && only(header, "alg").is_some_and(|alg| alg.is_string())
        && count(header, "crit") < 2
        && ["iss", "sub", "jti", "client_id"]
            .into_iter()
            .all(|name| required(name, Form::Text))
        && (required("aud", Form::Text) || required("aud", Form::Texts))
        && ["exp", "iat"].into_iter().all(|name| required(name, Form::Date))
        && optional("nbf", Form::Date, false)
        && optional("sid", Form::Id, true)
        && optional("epoch", Form::Integer, true)
        && ["email", "name"]
            .into_iter()
            .all(|name| optional(name, Form::Text, true))
        && optional("roles", Form::Texts, true)
        && optional("scope", Form::Text, false)
}

fn is_null(members: &Members, name: &str) -> bool {
    members
        .iter()
        .any(|(known, value)| decoded(known) == name && value == "null")
}

/// Why the verifier may refuse what `jsonwebtoken` admits. Anything else is a mistake of one of the two.
fn is_listed(refusal: AuthError, header: &Members, claims: &Members, now: i64) -> bool {
    let text = |members, name| only(members, name).and_then(|value| value.as_str().map(str::to_owned));
    let has = |name| only(claims, name).is_some_and(|value| !value.is_null());
    let is_service = text(claims, "sub") == text(claims, "client_id");
    let AuthError::InvalidToken(fault) = refusal else {
        // One second: `exp` plus leeway is the first moment at which a token is no good, not the last at which it is.
        let exp = only(claims, "exp").and_then(|exp| whole_seconds(&exp));
        return refusal == AuthError::Expired && exp == Some(now - 30);
    };
    match fault {
        // Longer than 8 KiB.
        TokenFault::TooLong => written(header).len() + written(claims).len() > 6_000,
        // A member twice, or of the wrong type, or a time that does not fit into 64 bits.
        TokenFault::Malformed => !is_well_formed(header, claims),
        // RFC 9068 §4.
        TokenFault::Type => !text(header, "typ")
            .is_some_and(|typ| ["at+jwt", "application/at+jwt"].contains(&typ.to_ascii_lowercase().as_str())),
        // RFC 7515 §4.1.11.
        TokenFault::Critical => count(header, "crit") == 1,
        // `jsonwebtoken` was given its key, and doesn't look for it.
        TokenFault::UnknownKey => text(header, "kid").as_deref() != Some(KID),
        // People's tokens are for the platform, services' for the one service.
        TokenFault::Audience => {
            let named = if is_service { SERVICE } else { "platform" };
            let aud = only(claims, "aud").unwrap();
            aud != json!(named) && !aud.as_array().is_some_and(|aud| aud.contains(&json!(named)))
        }
        // Every token has an id.
        TokenFault::Claims if text(claims, "jti").unwrap().is_empty() => true,
        // A user has a session and an epoch and a UUID; a service has a name, and neither session nor roles.
        TokenFault::Claims if is_service => {
            text(claims, "sub").unwrap().is_empty() || has("roles") || has("sid")
        }
        // An id has one spelling.
        TokenFault::Claims => {
            let sub = text(claims, "sub").unwrap();
            let is_id = Uuid::parse_str(&sub).is_ok_and(|id| id.to_string() == sub);
            !has("sid") || !has("epoch") || !is_id
        }
        TokenFault::Header
        | TokenFault::Algorithm
        | TokenFault::Signature
        | TokenFault::Issuer
        | TokenFault::NotYetValid
        | _ => false,
    }
}

#[test]
fn signed_claims_are_read_alike_or_refused_for_a_listed_reason() {
    let (both, ours_alone, neither) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let increment = |cell: &Cell<u32>| cell.set(cell.get() + 1);
    let now = Forge::new().now();
    runner(4_000)
        .run(
            &(any::<bool>(), header_edits(), claim_edits(now)),
            |(is_person, header_edits, claim_edits)| {
                // Anew each time, so that the clock that stands hardly differs from the one that goes on.
                let forge = Forge::new();
                let bearer = if is_person {
                    forge.issuer.as_user()
                } else {
                    forge.issuer.as_service("gateway")
                };
                let (mut header, mut claims) = (members(&header()), members(&claims(&bearer)));
                for edit in &header_edits {
                    edit.apply(&mut header);
                }
                for edit in &claim_edits {
                    edit.apply(&mut claims);
                }
                let token = forge.sign(written(&header), written(&claims));

                match (forge.verify(&token), theirs(&forge, &token)) {
                    (Ok(ours), Ok(theirs)) => {
                        increment(&both);
                        prop_assert!(is_well_formed(&header, &claims));
                        assert_same(&ours, &theirs);
                    }
                    (Ok(ours), Err(error)) => {
                        // A time before 1970 is a time all the same (RFC 7519 §2), which `jsonwebtoken` can't read.
                        let is_past = only(&claims, "nbf")
                            .and_then(|nbf| whole_seconds(&nbf))
                            .is_some_and(|nbf| nbf < 0);
                        prop_assert!(is_past, "{ours:?} is admitted in spite of {error}");
                    }
                    (Err(refusal), Ok(_)) => {
                        increment(&ours_alone);
                        let listed = is_listed(refusal, &header, &claims, forge.now());
                        prop_assert!(listed, "no listed reason for {refusal:?}");
                    }
                    (Err(_), Err(_)) => increment(&neither),
                }
                Ok(())
            },
        )
        .unwrap();
    for cell in [&both, &ours_alone, &neither] {
        assert!(cell.get() > 200, "{both:?} {ours_alone:?} {neither:?}");
    }
}
