//! Changes to a valid token: lines `claim.path=JSON`, or `^name=JSON` for the header. A value that is not JSON is a text, and a line
//! without `=` removes the claim.

use serde_json::{Map, Value, json};

use super::issuers::KnownIssuer;
use super::{NOW, keys};

/// The header and the payload of a valid token of a user or a service, with these changes.
pub(super) fn apply(issuer: &KnownIssuer, is_service: bool, lines: &str) -> (String, String) {
    let algorithm = if issuer.has_secret { "HS256" } else { "EdDSA" };
    let mut header = json!({"alg": algorithm, "kid": keys::ID});
    if let Some(typ) = issuer.types.first() {
        header["typ"] = json!(typ);
    }
    let claims = if is_service { issuer.service } else { issuer.user };
    let mut payload: Value = serde_json::from_str(claims).expect("JSON");
    payload["iss"] = json!(issuer.url);
    payload["iat"] = json!(NOW);
    payload["exp"] = json!(NOW + 900);
    for line in lines.lines() {
        let (place, value) = match line.split_once('=') {
            Some((place, text)) => (place, Some(parse(text))),
            None => (line, None),
        };
        match place.strip_prefix('^') {
            Some(name) => set(&mut header, name, value),
            None => set(&mut payload, place, value),
        }
    }
    (header.to_string(), payload.to_string())
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

/// Sets or removes a member. Objects on the way are made.
fn set(object: &mut Value, path: &str, value: Option<Value>) {
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let Value::Object(members) = object else { return };
    // A name with a colon is one name, as in `ClaimPath`.
    match (path.split_once('.').filter(|_| !path.contains(':')), value) {
        (Some((first, rest)), value) => set(members.entry(first).or_insert(Value::Null), rest, value),
        (None, Some(value)) => drop(members.insert(path.to_owned(), value)),
        (None, None) => drop(members.remove(path)),
    }
}
