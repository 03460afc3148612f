//! Reading a JWK Set (RFC 7517), and leaving out what no verifier should hold.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use super::Key;

const MAX_KEYS: usize = 32;
const MAX_KID_BYTES: usize = 256;
/// RFC 7518 §3.3: a key of 2048 bits or larger. The upper bound keeps one verification from costing a denial of service.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Why a key set can't be used at all.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// Not a JSON object with a list `keys`.
    #[error("not a JWK Set")]
    Malformed,
    /// More keys than any publisher has use for.
    #[error("more than {MAX_KEYS} keys")]
    TooMany,
    /// Not one key in it is fit to verify with.
    #[error("no usable key")]
    Empty,
}

/// Why one key of a set is left out.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Unfit {
    #[error("malformed")]
    Malformed,
    #[error("no kid, or one of more than {MAX_KID_BYTES} bytes")]
    NoKeyId,
    #[error("kid used twice")]
    Duplicate,
    #[error("a private or symmetric key, published")]
    Secret,
    #[error("not for verifying signatures")]
    OtherUse,
    #[error("kind or algorithm not accepted here")]
    Algorithm,
    #[error("weak")]
    Weak,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

pub(super) fn read_set(document: &[u8], algorithms: &[Algorithm]) -> Result<HashMap<String, Key>, JwksError> {
    // Serde would take a list for a struct.
    if document.trim_ascii_start().first() != Some(&b'{') {
        return Err(JwksError::Malformed);
    }
    let set: Set = serde_json::from_slice(document).map_err(|_| JwksError::Malformed)?;
    if set.keys.len() > MAX_KEYS {
        return Err(JwksError::TooMany);
    }
    let mut fit = HashMap::new();
    for value in &set.keys {
        // Neither of two keys with one name can be meant by it, and least of all one whose private twin is published too.
        let namesakes = set
            .keys
            .iter()
            .filter(|other| other.get("kid") == value.get("kid"))
            .count();
        match read_key(value, algorithms) {
            Ok((kid, key)) if namesakes == 1 => drop(fit.insert(kid, key)),
            Ok(_) => leave_out(value, &Unfit::Duplicate),
            Err(unfit) => leave_out(value, &unfit),
        }
    }
    if fit.is_empty() {
        Err(JwksError::Empty)
    } else {
        Ok(fit)
    }
}

fn leave_out(key: &Value, unfit: &Unfit) {
    tracing::warn!(kid = ?key.get("kid"), %unfit, "a key of the JWK Set is left out");
}

fn read_key(value: &Value, algorithms: &[Algorithm]) -> Result<(String, Key), Unfit> {
    const SECRET_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
    if SECRET_MEMBERS.iter().any(|member| value.get(member).is_some()) {
        return Err(Unfit::Secret);
    }
    if !value.is_object() {
        return Err(Unfit::Malformed);
    }
    let jwk = Jwk::deserialize(value).map_err(|_| Unfit::Malformed)?;
    let verifies = jwk
        .key_ops
        .as_ref()
        .is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") || !verifies {
        return Err(Unfit::OtherUse);
    }
    let kid = jwk
        .kid
        .clone()
        .filter(|kid| !kid.is_empty() && kid.len() <= MAX_KID_BYTES)
        .ok_or(Unfit::NoKeyId)?;
    let key = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("OKP", Some("Ed25519")) => ed25519(&jwk)?,
        ("EC", Some("P-256")) => ecdsa(&jwk, Algorithm::ES256, 32)?,
        ("EC", Some("P-384")) => ecdsa(&jwk, Algorithm::ES384, 48)?,
        ("RSA", None) => rsa(&jwk)?,
        ("oct", _) => return Err(Unfit::Secret),
        _ => return Err(Unfit::Algorithm),
    };
    let as_declared = jwk
        .alg
        .as_deref()
        .is_none_or(|alg| alg.parse() == Ok(key.algorithm));
    if as_declared && algorithms.contains(&key.algorithm) {
        Ok((kid, key))
    } else {
        Err(Unfit::Algorithm)
    }
}

fn ed25519(jwk: &Jwk) -> Result<Key, Unfit> {
    let x = member(jwk.x.as_deref())?;
    if x.len() != 32 {
        return Err(Unfit::Malformed);
    }
    if is_of_small_order(&x) {
        return Err(Unfit::Weak);
    }
    Ok(Key {
        algorithm: Algorithm::EdDSA,
        decoding: DecodingKey::from_ed_der(&x),
        material: x,
    })
}

/// Points of small order, for which some signatures verify under every message (RFC 8032 §5.1.7 leaves the check to the
/// caller). Their `y` is 0, 1, −1 or one of the two of order eight, in either sign and also where written unreduced.
fn is_of_small_order(key: &[u8]) -> bool {
    const ORDER_8: [[u8; 32]; 2] = [
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
            0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
            0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    let mut y = key.to_vec();
    if let Some(last) = y.last_mut() {
        *last &= 0x7f;
    }
    // p = 2^255 − 19 is ed ff … ff 7f; so p − 1, p and p + 1 differ from it in the first byte alone.
    let (Some((&first, rest)), Some((&last, _))) = (y.split_first(), y.split_last()) else {
        return true;
    };
    let middle = rest.get(..30).unwrap_or_default();
    let tiny = first <= 1 && rest.iter().all(|byte| *byte == 0);
    let around_p = (0xec..=0xee).contains(&first) && last == 0x7f && middle.iter().all(|byte| *byte == 0xff);
    tiny || around_p || ORDER_8.iter().any(|point| y == point)
}

fn ecdsa(jwk: &Jwk, algorithm: Algorithm, coordinate_bytes: usize) -> Result<Key, Unfit> {
    let (x, y) = (member(jwk.x.as_deref())?, member(jwk.y.as_deref())?);
    // RFC 7518 §6.2.1.2: the full size of a coordinate, leading zeros included.
    if x.len() != coordinate_bytes || y.len() != coordinate_bytes {
        return Err(Unfit::Malformed);
    }
    let point = [&[4], x.as_slice(), &y].concat();
    Ok(Key {
        algorithm,
        decoding: DecodingKey::from_ec_der(&point),
        material: point,
    })
}

fn rsa(jwk: &Jwk) -> Result<Key, Unfit> {
    let algorithm = match jwk.alg.as_deref() {
        None => Algorithm::RS256,
        // Another family's name would make a key that is taken and verifies nothing.
        Some(alg) => (alg.parse().ok())
            .filter(|algorithm| AlgorithmFamily::Rsa.algorithms().contains(algorithm))
            .ok_or(Unfit::Algorithm)?,
    };
    let (n, e) = (member(jwk.n.as_deref())?, member(jwk.e.as_deref())?);
    let bits = n.len() * 8 - n.first().map_or(0, |byte| byte.leading_zeros() as usize);
    // Exponents below 65537 have a history of attacks; even ones are no exponents.
    let exponent = e.iter().fold(0_u64, |sum, byte| {
        sum.saturating_mul(256).saturating_add(u64::from(*byte))
    });
    if n.first() == Some(&0) || e.first() == Some(&0) {
        return Err(Unfit::Malformed);
    }
    if !RSA_BITS.contains(&bits) || exponent < 65_537 || exponent % 2 == 0 {
        return Err(Unfit::Weak);
    }
    let material = [n.as_slice(), &e].concat();
    Ok(Key {
        algorithm,
        decoding: DecodingKey::from_rsa_raw_components(&n, &e),
        material,
    })
}

fn member(value: Option<&str>) -> Result<Vec<u8>, Unfit> {
    let bytes = URL_SAFE_NO_PAD
        .decode(value.ok_or(Unfit::Malformed)?)
        .map_err(|_| Unfit::Malformed)?;
    if bytes.is_empty() {
        Err(Unfit::Malformed)
    } else {
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ALL: [Algorithm; 4] = [
        Algorithm::EdDSA,
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::RS256,
    ];

    fn ed(x: &[u8]) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": URL_SAFE_NO_PAD.encode(x)})
    }

    fn good() -> Value {
        // The public key of RFC 8037 appendix A.2.
        json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    }

    fn rsa_of(n: &[u8], e: &[u8]) -> Value {
        json!({"kty": "RSA", "kid": "k", "n": URL_SAFE_NO_PAD.encode(n), "e": URL_SAFE_NO_PAD.encode(e)})
    }

    fn with(member: &str, value: Value) -> Value {
        let mut jwk = good();
        jwk.as_object_mut().unwrap().insert(member.to_owned(), value);
        jwk
    }

    fn why(jwk: &Value) -> Option<Unfit> {
        read_key(jwk, &ALL).err()
    }

    #[test]
    fn a_good_key_is_taken_with_or_without_its_declarations() {
        assert_eq!(why(&good()), None);
        assert_eq!(why(&with("use", json!("sig"))), None);
        assert_eq!(why(&with("key_ops", json!(["verify"]))), None);
        assert_eq!(why(&with("alg", json!("EdDSA"))), None);
    }

    #[test]
    fn private_and_symmetric_keys_are_left_out() {
        for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert_eq!(why(&with(member, json!("AAAA"))), Some(Unfit::Secret), "{member}");
        }
        assert_eq!(why(&json!({"kty": "oct", "kid": "k"})), Some(Unfit::Secret));
    }

    #[test]
    fn keys_for_something_else_are_left_out() {
        assert_eq!(why(&with("use", json!("enc"))), Some(Unfit::OtherUse));
        assert_eq!(why(&with("key_ops", json!(["sign"]))), Some(Unfit::OtherUse));
        assert_eq!(why(&with("alg", json!("ES256"))), Some(Unfit::Algorithm));
        assert_eq!(why(&with("alg", json!("none"))), Some(Unfit::Algorithm));
        assert_eq!(why(&with("crv", json!("X25519"))), Some(Unfit::Algorithm));
        assert_eq!(
            read_key(&good(), &[Algorithm::ES256]).err(),
            Some(Unfit::Algorithm)
        );
    }

    #[test]
    fn a_key_needs_a_name_of_its_own() {
        assert_eq!(why(&with("kid", Value::Null)), Some(Unfit::NoKeyId));
        assert_eq!(why(&with("kid", json!(""))), Some(Unfit::NoKeyId));
        assert_eq!(why(&with("kid", json!("k".repeat(257)))), Some(Unfit::NoKeyId));

        let mut other = ed(&[7; 32]);
        let twice = json!({"keys": [good(), other.clone(), with("kid", json!("j"))]}).to_string();
        let keys = read_set(twice.as_bytes(), &ALL).unwrap();
        assert_eq!(keys.keys().collect::<Vec<_>>(), ["j"]);

        other["kid"] = json!("l");
        let twin = json!({"keys": [good(), with("d", json!("AAAA")), other.clone()]}).to_string();
        assert_eq!(
            read_set(twin.as_bytes(), &ALL)
                .unwrap()
                .keys()
                .collect::<Vec<_>>(),
            ["l"]
        );
        let thrice = json!({"keys": [good(), good(), good(), other]}).to_string();
        let keys = read_set(thrice.as_bytes(), &ALL).unwrap();
        assert_eq!(keys.keys().collect::<Vec<_>>(), ["l"]);
    }

    #[test]
    fn an_rsa_key_is_for_rsa_algorithms_only() {
        let of = |alg| with_alg(rsa_of(&[0xff; 256], &[1, 0, 1]), alg);
        assert_eq!(why(&of("RS256")), None);
        assert_eq!(read_key(&of("PS256"), &[Algorithm::PS256]).err(), None);
        assert_eq!(why(&of("PS256")), Some(Unfit::Algorithm));
        for alg in ["EdDSA", "ES256", "ES384"] {
            assert_eq!(why(&of(alg)), Some(Unfit::Algorithm), "{alg}");
        }
        assert_eq!(
            read_key(&of("HS256"), &[Algorithm::HS256]).err(),
            Some(Unfit::Algorithm)
        );
    }

    fn with_alg(mut jwk: Value, alg: &str) -> Value {
        jwk["alg"] = json!(alg);
        jwk
    }

    #[test]
    fn weak_and_misshapen_keys_are_left_out() {
        let order_4 = [0; 32];
        let mut neutral = order_4;
        neutral[0] = 1;
        let mut negative_neutral = neutral;
        negative_neutral[31] = 0x80;
        let mut minus_one = [0xff; 32];
        (minus_one[0], minus_one[31]) = (0xec, 0x7f);
        for point in [order_4, neutral, negative_neutral, minus_one] {
            assert_eq!(why(&ed(&point)), Some(Unfit::Weak));
        }
        assert_eq!(why(&ed(&[7; 31])), Some(Unfit::Malformed));
        assert_eq!(why(&with("x", json!("not base64!"))), Some(Unfit::Malformed));

        let ec = |x: usize, y: usize| {
            let [x, y] = [x, y].map(|bytes| URL_SAFE_NO_PAD.encode(vec![7; bytes]));
            json!({"kty": "EC", "crv": "P-256", "kid": "k", "x": x, "y": y})
        };
        assert_eq!(why(&ec(32, 32)), None);
        for (x, y) in [(31, 32), (32, 31), (33, 32), (32, 33), (48, 48)] {
            assert_eq!(why(&ec(x, y)), Some(Unfit::Malformed), "{x}, {y}");
        }

        let n = [0xff; 256];
        assert_eq!(why(&rsa_of(&n, &[1, 0, 1])), None);
        assert_eq!(why(&rsa_of(&n[..255], &[1, 0, 1])), Some(Unfit::Weak));
        assert_eq!(why(&rsa_of(&[0x7f; 256], &[1, 0, 1])), Some(Unfit::Weak));
        assert_eq!(why(&rsa_of(&[0xff; 1025], &[1, 0, 1])), Some(Unfit::Weak));
        assert_eq!(why(&rsa_of(&n, &[3])), Some(Unfit::Weak));
        assert_eq!(why(&rsa_of(&n, &[1, 0, 2])), Some(Unfit::Weak));
        assert_eq!(why(&rsa_of(&n, &[0, 1, 0, 1])), Some(Unfit::Malformed));
    }

    #[test]
    fn a_point_of_small_order_would_let_anyone_sign_so_it_is_left_out() {
        let hex = |text: &str| -> Vec<u8> {
            (0..32)
                .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
                .collect()
        };
        // The y of the eight points, then 0 and 1 with p added: ways to write the same two that a decoder may take.
        let canonical = [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        ];
        let unreduced = [
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ];
        let with_both_signs = |texts: &[&str]| -> Vec<Vec<u8>> {
            let negative = |mut point: Vec<u8>| {
                point[31] |= 0x80;
                point
            };
            texts
                .iter()
                .flat_map(|text| [hex(text), negative(hex(text))])
                .collect()
        };
        let points = with_both_signs(&canonical);
        for point in points.iter().chain(&with_both_signs(&unreduced)) {
            assert_eq!(why(&ed(point)), Some(Unfit::Weak), "{point:x?}");
        }

        // No private key was needed for this: S = 0, and R a multiple of the public key.
        let anyone_signs = |key: &Vec<u8>| {
            let decoding = DecodingKey::from_ed_der(key);
            let key = Key {
                algorithm: Algorithm::EdDSA,
                decoding,
                material: Vec::new(),
            };
            points.iter().any(|r| {
                let signature = URL_SAFE_NO_PAD.encode([r.as_slice(), &[0; 32]].concat());
                (0..64_u8).any(|message| key.verifies(&[message], &signature))
            })
        };
        for (text, point) in canonical.iter().zip(points.iter().step_by(2)) {
            assert!(anyone_signs(point), "{text}");
        }
    }

    #[test]
    fn a_set_without_one_usable_key_is_an_error() {
        for malformed in [
            "",
            "[]",
            "{}",
            "null",
            r#"{"keys":{}}"#,
            &format!("[[{}]]", good()),
        ] {
            assert_eq!(
                read_set(malformed.as_bytes(), &ALL),
                Err(JwksError::Malformed),
                "{malformed}"
            );
        }
        let list = json!([
            "OKP",
            "k",
            null,
            null,
            null,
            "Ed25519",
            good()["x"],
            null,
            null,
            null
        ]);
        for no_key in [Value::Null, json!("k"), json!({}), list] {
            assert_eq!(
                read_set(json!({"keys": [no_key]}).to_string().as_bytes(), &ALL),
                Err(JwksError::Empty)
            );
            let beside = json!({"keys": [no_key, good()]}).to_string();
            assert_eq!(read_set(beside.as_bytes(), &ALL).unwrap().len(), 1);
        }
        assert_eq!(read_set(br#"{"keys":[]}"#, &ALL), Err(JwksError::Empty));
        let many = json!({"keys": vec![good(); MAX_KEYS + 1]}).to_string();
        assert_eq!(read_set(many.as_bytes(), &ALL), Err(JwksError::TooMany));
        let full: Vec<_> = (0..MAX_KEYS).map(|i| with("kid", json!(i.to_string()))).collect();
        assert_eq!(
            read_set(json!({"keys": full}).to_string().as_bytes(), &ALL)
                .unwrap()
                .len(),
            MAX_KEYS
        );
    }
}
