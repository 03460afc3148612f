//! Headers and claims as text, and edits that JSON values cannot express: duplicates, escapes and huge numbers.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

/// A JSON object as text: names and values in JSON, possibly with duplicate names.
pub type Members = Vec<(String, String)>;

/// A change by an issuer that signs the changed object.
#[derive(Clone, Debug)]
pub enum Edit {
    Set(&'static str, String),
    /// Adds a duplicate.
    Duplicate(&'static str, String),
    Remove(&'static str),
    /// Escapes the first letter of the name. It remains the same name.
    Escape(&'static str),
}

impl Edit {
    pub fn apply(&self, members: &mut Members) {
        match self {
            Self::Set(name, value) => {
                members.retain(|(existing, _)| decoded(existing) != *name);
                members.push(((*name).to_owned(), value.clone()));
            }
            Self::Duplicate(name, value) => members.push(((*name).to_owned(), value.clone())),
            Self::Remove(name) => members.retain(|(existing, _)| decoded(existing) != *name),
            Self::Escape(name) => {
                for (existing, _) in members {
                    if existing == name {
                        *existing = format!("\\u{:04x}{}", u32::from(existing.as_bytes()[0]), &existing[1..]);
                    }
                }
            }
        }
    }
}

/// The name without escapes.
pub fn decoded(name: &str) -> String {
    serde_json::from_str(&format!("\"{name}\"")).unwrap()
}

pub fn members(object: &Value) -> Members {
    object
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), value.to_string()))
        .collect()
}

/// The text of the object.
pub fn to_text(members: &Members) -> String {
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
        1 => (name.clone(), value).prop_map(|(name, value)| Edit::Duplicate(name, value)),
        2 => name.clone().prop_map(Edit::Remove),
        1 => name.prop_map(Edit::Escape),
    ];
    prop_oneof![Just(Vec::new()), proptest::collection::vec(edit, 1..3)]
}

pub fn header_edits() -> impl Strategy<Value = Vec<Edit>> {
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

pub fn claim_edits(now: i64) -> impl Strategy<Value = Vec<Edit>> {
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
    // The verifier's clock stands still and that of `jsonwebtoken` runs. So avoid times at which a second or two matter,
    // except the last second of the leeway.
    values.extend([-3600, -31, -30, -20, 0, 20, 300].map(|offset| (now + offset).to_string()));
    values.push(format!("{}.0", now + 300));
    // The same times with fractions. `jsonwebtoken` rounds them to the nearest second.
    values.extend([-31, -30, 300].map(|offset| format!("{}.25", now + offset)));
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
