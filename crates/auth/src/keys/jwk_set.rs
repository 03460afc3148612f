//! Reads a JWK Set (RFC 7517 §5) and skips the keys that a verifier must not use.

use std::collections::HashMap;

use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde_json::Value;

use super::jwk;
use super::key::Key;
use super::public_key::Unusable;
use crate::json_object;

const MAX_KEYS: usize = 32;

/// Why a key set can't be used at all.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwksError {
    /// Not a JSON object with an array `keys`.
    #[error("not a JWK Set")]
    Malformed,
    /// More than 32 keys.
    #[error("more than {MAX_KEYS} keys")]
    TooMany,
    /// No usable key.
    #[error("no usable key")]
    Empty,
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Value>,
}

/// The usable keys of a set.
#[derive(Debug, Default, PartialEq)]
pub(super) struct UsableKeys {
    pub by_id: HashMap<String, Key>,
    /// A key without id. Then it is the only one.
    pub sole: Option<Key>,
}

/// Reads the usable keys for these algorithms. `on_skipped` gets each other key, and why it is skipped.
pub(super) fn read(
    document: &[u8],
    algorithms: &[Algorithm],
    on_skipped: impl Fn(&Value, Unusable),
) -> Result<UsableKeys, JwksError> {
    let set: JwkSet = json_object::parse(document).ok_or(JwksError::Malformed)?;
    if set.keys.len() > MAX_KEYS {
        return Err(JwksError::TooMany);
    }

    let (mut by_id, mut unnamed) = (HashMap::new(), Vec::new());
    for jwk in &set.keys {
        match jwk::read(jwk, algorithms) {
            Ok((None, key)) => unnamed.push((jwk, key)),
            // A duplicate `kid` is ambiguous, so all keys that have it are skipped.
            Ok((Some(kid), _)) if count(&set.keys, &kid) > 1 => on_skipped(jwk, Unusable::Duplicate),
            Ok((Some(kid), key)) => drop(by_id.insert(kid, key)),
            Err(reason) => on_skipped(jwk, reason),
        }
    }
    let sole = unnamed.pop_if(|_| by_id.is_empty());
    let sole = if unnamed.is_empty() {
        sole.map(|(_, key)| key)
    } else {
        unnamed.extend(sole);
        None
    };
    for (jwk, _) in unnamed {
        on_skipped(jwk, Unusable::NoKeyId);
    }
    if by_id.is_empty() && sole.is_none() {
        Err(JwksError::Empty)
    } else {
        Ok(UsableKeys { by_id, sole })
    }
}

fn count(keys: &[Value], kid: &str) -> usize {
    let has_kid = |jwk: &&Value| jwk.get("kid").and_then(Value::as_str) == Some(kid);
    keys.iter().filter(has_kid).count()
}

/// Logs why a key is skipped.
pub(super) fn log_skipped(jwk: &Value, reason: Unusable) {
    let kid = jwk.get("kid");
    if reason == Unusable::OtherUse {
        // Normal: some issuers publish keys for encryption in the same set.
        tracing::debug!(?kid, %reason, "skipped a key of the JWK Set");
    } else {
        tracing::warn!(?kid, %reason, "skipped a key of the JWK Set");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ALGORITHMS: [Algorithm; 1] = [Algorithm::EdDSA];

    /// The public key of RFC 8037 appendix A.2.
    fn good_key() -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    }

    fn with(member: &str, value: Value) -> Value {
        let mut jwk = good_key();
        jwk[member] = value;
        jwk
    }

    fn read_document(document: &[u8]) -> Result<UsableKeys, JwksError> {
        read(document, &ALGORITHMS, |_, _| {})
    }

    fn read_keys(keys: &Value) -> Result<HashMap<String, Key>, JwksError> {
        let usable = read_document(json!({"keys": keys}).to_string().as_bytes())?;
        assert_eq!(usable.sole, None);
        Ok(usable.by_id)
    }

    #[test]
    fn a_key_without_kid_is_usable_only_if_it_is_the_only_usable_key() {
        let unnamed = with("kid", Value::Null);
        let encryption = with("use", json!("enc"));
        let usable = |keys: Value| {
            let usable = read_document(json!({"keys": keys}).to_string().as_bytes()).ok()?;
            Some((usable.by_id.len(), usable.sole.is_some()))
        };
        assert_eq!(usable(json!([unnamed])), Some((0, true)));
        assert_eq!(usable(json!([unnamed, encryption])), Some((0, true)));
        assert_eq!(usable(json!([unnamed, good_key()])), Some((1, false)));
        assert_eq!(usable(json!([unnamed, unnamed])), None);
    }

    #[test]
    fn keys_with_a_duplicate_kid_are_skipped() {
        let other = with("kid", json!("other"));
        let private = with("d", json!("AAAA"));

        for keys in [
            json!([good_key(), with("use", json!("sig")), other]),
            json!([good_key(), private, other]),
            json!([good_key(), good_key(), good_key(), other]),
        ] {
            let usable = read_keys(&keys).unwrap();
            assert_eq!(usable.keys().collect::<Vec<_>>(), ["other"]);
        }
    }

    #[test]
    fn a_document_that_is_not_a_jwk_set_is_malformed() {
        for document in [
            "",
            "[]",
            "{}",
            "null",
            r#"{"keys":{}}"#,
            &format!("[[{}]]", good_key()),
        ] {
            assert_eq!(
                read_document(document.as_bytes()),
                Err(JwksError::Malformed),
                "{document}"
            );
        }
        // Not UTF-8, in a member that is not read (RFC 8259 §8.1).
        let document = [
            br#"{"name":""#,
            [0xff].as_slice(),
            br#"","keys":["#,
            good_key().to_string().as_bytes(),
            b"]}",
        ]
        .concat();
        assert_eq!(read_document(&document), Err(JwksError::Malformed));
    }

    #[test]
    fn a_set_without_a_usable_key_is_an_error() {
        assert_eq!(read_keys(&json!([])), Err(JwksError::Empty));

        // The members of a good key without their names, in the order of the fields of `Jwk`. Serde alone would accept this.
        let array = json!([
            "OKP",
            "k",
            null,
            null,
            null,
            "Ed25519",
            good_key()["x"],
            null,
            null,
            null
        ]);
        for unusable in [Value::Null, json!("k"), json!({}), array] {
            assert_eq!(read_keys(&json!([unusable])), Err(JwksError::Empty));
            assert_eq!(read_keys(&json!([unusable, good_key()])).unwrap().len(), 1);
        }
    }

    #[test]
    fn a_set_has_at_most_32_keys() {
        let keys = |count: usize| {
            let keys: Vec<_> = (0..count).map(|i| with("kid", json!(i.to_string()))).collect();
            read_keys(&json!(keys))
        };

        assert_eq!(keys(MAX_KEYS).unwrap().len(), MAX_KEYS);
        assert_eq!(keys(MAX_KEYS + 1), Err(JwksError::TooMany));
    }
}
