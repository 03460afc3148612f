//! JWK Sets. The first byte of the input chooses the algorithms that the key set is for. The rest is a document or, if the second byte
//! names a kind of key, the members of one key: the document then has a key with these bytes in base64url.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::keys::key::Key;
use crate::keys::{JwksError, KeySet};

const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A message that was never signed.
const UNSIGNED: &[u8] = b"e30.e30";

/// Reads the input as described above.
pub fn jwks(input: &[u8]) {
    let [chosen, rest @ ..] = input else { return };
    let document = document(rest);
    let algorithms = algorithms(*chosen);
    let outcome = KeySet::from_jwks(&document, algorithms);
    assert_eq!(KeySet::from_jwks(&document, algorithms), outcome);
    let Ok(set) = outcome else { return };
    let value: Value = serde_json::from_slice(&document).expect("JSON");
    let keys = value["keys"].as_array().expect("an array");
    assert!((1..=32).contains(&keys.len()));
    if let Some(sole) = set.find(None) {
        assert!(set.ids().next().is_none(), "another key beside the sole one");
        assert!(keys.iter().any(|jwk| jwk["kid"].is_null()), "the key has an id");
        check_key(sole, algorithms);
    } else {
        assert!(set.ids().next().is_some());
    }
    for id in set.ids() {
        check(&set, id, keys, algorithms);
    }
    assert!(KeySet::from_jwks(&document, &[]) == Err(JwksError::Empty));
}

fn algorithms(chosen: u8) -> &'static [Algorithm] {
    use Algorithm::{ES256, ES384, EdDSA, HS256, HS512, PS256, RS256, RS512};
    const ALL: &[Algorithm] = &[EdDSA, ES256, ES384, RS256, RS512, PS256, HS256, HS512];
    match chosen {
        b'e' => &[EdDSA],
        b'c' => &[ES256, ES384],
        b'r' => &[RS256, PS256],
        b'h' => &[HS256, HS512],
        _ => ALL,
    }
}

/// The document that the input describes.
fn document(input: &[u8]) -> Vec<u8> {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let halves = |bytes: &[u8]| {
        let (one, other) = bytes.split_at(bytes.len() / 2);
        [encode(one), encode(other)]
    };
    let jwk = match input {
        [b'1', x @ ..] => json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": encode(x)}),
        [b'2', point @ ..] => {
            let [x, y] = halves(point);
            json!({"kty": "EC", "crv": "P-256", "kid": "k", "x": x, "y": y})
        }
        [b'3', point @ ..] => {
            let [x, y] = halves(point);
            json!({"kty": "EC", "crv": "P-384", "kid": "k", "x": x, "y": y})
        }
        [b'4', length, n @ ..] => {
            let (e, n) = n.split_at(n.len().min(usize::from(*length % 10)));
            // A modulus of a usual length, from few bytes of input.
            let n: Vec<u8> = n
                .iter()
                .copied()
                .cycle()
                .take(if n.is_empty() { 0 } else { 256 })
                .collect();
            json!({"kty": "RSA", "kid": "k", "n": encode(&n), "e": encode(e)})
        }
        _ => return input.to_vec(),
    };
    json!({"keys": [jwk]}).to_string().into_bytes()
}

/// Checks a key that is usable.
fn check(set: &KeySet, id: &str, keys: &[Value], algorithms: &[Algorithm]) {
    assert!((1..=256).contains(&id.len()));
    let mut of_this_id = keys.iter().filter(|jwk| jwk["kid"] == id);
    let (jwk, other) = (of_this_id.next().expect("a key"), of_this_id.next());
    assert_eq!(other, None, "two keys of one id");
    for member in PRIVATE {
        assert_eq!(jwk.get(member), None, "a private key");
    }
    assert!(jwk["use"].is_null() || jwk["use"] == "sig");
    let key = set.find(Some(id)).expect("a key");
    check_key(key, algorithms);
    // `Debug` of an algorithm is its name in RFC 7518 §3.1.
    let name = format!("{:?}", key.algorithm);
    let kind = jwk["kty"].as_str().expect("a kind");
    let fits = match kind {
        "OKP" => name == "EdDSA",
        "EC" => name.starts_with("ES"),
        "RSA" => name.starts_with("RS") || name.starts_with("PS"),
        _ => false,
    };
    assert!(fits, "{name} with a key of kind {kind}");
    assert!(jwk["alg"].is_null() || jwk["alg"] == name.as_str());
}

/// Checks a key apart from its JWK.
fn check_key(key: &Key, algorithms: &[Algorithm]) {
    assert!(algorithms.contains(&key.algorithm) && !key.is_secret());
    for signature in forgeries(&format!("{:?}", key.algorithm)) {
        assert!(
            !key.verifies(UNSIGNED, &signature),
            "a forged signature: {signature}"
        );
    }
}

/// Signatures that need no private key, and that weak keys or careless programs accept.
fn forgeries(algorithm: &str) -> Vec<String> {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let zeros = [0, 64, 96, 256].map(|length| encode(&vec![0; length]));
    let mut forged = zeros.to_vec();
    match algorithm {
        "EdDSA" => forged.extend(SMALL_ORDER.map(|point| encode(&[hex(point), vec![0; 32]].concat()))),
        "ES256" => forged.push(encode(&[[0; 31].as_slice(), &[1], &[0; 31], &[1]].concat())),
        "ES384" => forged.push(encode(&[[0; 47].as_slice(), &[1], &[0; 47], &[1]].concat())),
        _ => forged.push(encode(&[[0; 255].as_slice(), &[1]].concat())),
    }
    forged
}

/// The points of small order of Curve25519, in their usual encodings. With such a point as the key, one of them is half of a signature
/// of any message.
const SMALL_ORDER: [&str; 8] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
];

fn hex(text: &str) -> Vec<u8> {
    let byte =
        |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).expect("text"), 16).expect("hex");
    text.as_bytes().chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_of_small_order_is_refused() {
        for point in SMALL_ORDER {
            let document = document(&[b"1".as_slice(), &hex(point)].concat());
            assert_eq!(
                KeySet::from_jwks(&document, &[Algorithm::EdDSA]),
                Err(JwksError::Empty)
            );
        }
    }
}
