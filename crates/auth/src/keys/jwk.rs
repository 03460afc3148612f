//! Reads one JSON Web Key (RFC 7517 §4). Refuses a key that a verifier must not use.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde_json::Value;

use super::key::Key;
use super::public_key::{self, Unusable};

/// The maximum length of a `kid`, in bytes.
pub(super) const MAX_KID_BYTES: usize = 256;

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

/// Reads a key and its id, if it has one. The key must be for one of these algorithms.
pub(super) fn read(value: &Value, algorithms: &[Algorithm]) -> Result<(Option<String>, Key), Unusable> {
    const SECRET_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
    if SECRET_MEMBERS.iter().any(|member| value.get(member).is_some()) {
        return Err(Unusable::Secret);
    }
    if !value.is_object() {
        return Err(Unusable::Malformed);
    }
    let jwk = Jwk::deserialize(value).map_err(|_| Unusable::Malformed)?;

    let is_for_verifying = jwk
        .key_ops
        .as_ref()
        .is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") || !is_for_verifying {
        return Err(Unusable::OtherUse);
    }
    let kid_length = jwk.kid.as_ref().map(String::len);
    if kid_length.is_some_and(|length| !(1..=MAX_KID_BYTES).contains(&length)) {
        return Err(Unusable::KeyId);
    }

    let key = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("OKP", Some("Ed25519")) => public_key::ed25519(member(jwk.x.as_deref())?)?,
        ("EC", Some("P-256")) => public_key::p256(&point(&jwk, 32)?)?,
        ("EC", Some("P-384")) => public_key::p384(&point(&jwk, 48)?)?,
        ("RSA", None) => {
            let algorithm = match jwk.alg.as_deref() {
                None => Algorithm::RS256,
                Some(alg) => alg.parse().map_err(|_| Unusable::Algorithm)?,
            };
            public_key::rsa(&member(jwk.n.as_deref())?, &member(jwk.e.as_deref())?, algorithm)?
        }
        ("oct", _) => return Err(Unusable::Secret),
        _ => return Err(Unusable::Algorithm),
    };
    let matches_declared_algorithm = jwk
        .alg
        .as_deref()
        .is_none_or(|alg| alg.parse() == Ok(key.algorithm));
    if matches_declared_algorithm && algorithms.contains(&key.algorithm) {
        Ok((jwk.kid, key))
    } else {
        Err(Unusable::Algorithm)
    }
}

/// The coordinates of a point, one after the other.
fn point(jwk: &Jwk, coordinate_bytes: usize) -> Result<Vec<u8>, Unusable> {
    let (x, y) = (member(jwk.x.as_deref())?, member(jwk.y.as_deref())?);
    // RFC 7518 §6.2.1.2: a coordinate has its full length, leading zeros included.
    if x.len() == coordinate_bytes && y.len() == coordinate_bytes {
        Ok([x, y].concat())
    } else {
        Err(Unusable::Malformed)
    }
}

/// Decodes a required member from base64url.
fn member(value: Option<&str>) -> Result<Vec<u8>, Unusable> {
    let bytes = URL_SAFE_NO_PAD
        .decode(value.ok_or(Unusable::Malformed)?)
        .map_err(|_| Unusable::Malformed)?;
    if bytes.is_empty() {
        Err(Unusable::Malformed)
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

    /// The public key of RFC 8037 appendix A.2.
    fn good_key() -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    }

    fn with(member: &str, value: Value) -> Value {
        let mut jwk = good_key();
        jwk[member] = value;
        jwk
    }

    fn ed25519_key(x: &[u8]) -> Value {
        with("x", json!(URL_SAFE_NO_PAD.encode(x)))
    }

    /// The generator of P-256 (FIPS 186-4 §D.1.2.3).
    const P256_X: [u8; 32] = [
        0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77,
        0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96,
    ];
    const P256_Y: [u8; 32] = [
        0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b,
        0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
    ];

    fn p256_key(x: &[u8], y: &[u8]) -> Value {
        let [x, y] = [x, y].map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        json!({"kty": "EC", "crv": "P-256", "kid": "k", "x": x, "y": y})
    }

    fn rsa_key(n: &[u8], e: &[u8]) -> Value {
        json!({"kty": "RSA", "kid": "k", "n": URL_SAFE_NO_PAD.encode(n), "e": URL_SAFE_NO_PAD.encode(e)})
    }

    fn reason(jwk: &Value) -> Option<Unusable> {
        read(jwk, &ALL).err()
    }

    #[test]
    fn a_good_key_is_usable_with_or_without_optional_members() {
        assert_eq!(reason(&good_key()), None);
        assert_eq!(reason(&with("use", json!("sig"))), None);
        assert_eq!(reason(&with("key_ops", json!(["verify"]))), None);
        assert_eq!(reason(&with("alg", json!("EdDSA"))), None);
    }

    #[test]
    fn private_and_symmetric_keys_are_refused() {
        for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            let jwk = with(member, json!("AAAA"));
            assert_eq!(reason(&jwk), Some(Unusable::Secret), "{member}");
        }
        let symmetric = json!({"kty": "oct", "kid": "k"});
        assert_eq!(reason(&symmetric), Some(Unusable::Secret));
    }

    #[test]
    fn keys_for_another_use_or_algorithm_are_refused() {
        assert_eq!(reason(&with("use", json!("enc"))), Some(Unusable::OtherUse));
        assert_eq!(
            reason(&with("key_ops", json!(["sign"]))),
            Some(Unusable::OtherUse)
        );
        assert_eq!(reason(&with("alg", json!("ES256"))), Some(Unusable::Algorithm));
        assert_eq!(reason(&with("alg", json!("none"))), Some(Unusable::Algorithm));
        assert_eq!(reason(&with("crv", json!("X25519"))), Some(Unusable::Algorithm));
        assert_eq!(
            read(&good_key(), &[Algorithm::ES256]).err(),
            Some(Unusable::Algorithm)
        );
    }

    #[test]
    fn a_kid_has_at_most_256_bytes_and_is_not_empty() {
        for kid in [Value::Null, json!("k".repeat(256))] {
            assert_eq!(reason(&with("kid", kid)), None);
        }
        for kid in [json!(""), json!("k".repeat(257))] {
            assert_eq!(reason(&with("kid", kid)), Some(Unusable::KeyId));
        }
    }

    #[test]
    fn an_rsa_key_is_for_rsa_algorithms_only() {
        let key_for = |alg: &str| {
            let mut jwk = rsa_key(&[0xff; 256], &[1, 0, 1]);
            jwk["alg"] = json!(alg);
            jwk
        };

        assert_eq!(reason(&key_for("RS256")), None);
        assert_eq!(read(&key_for("PS256"), &[Algorithm::PS256]).err(), None);
        assert_eq!(reason(&key_for("PS256")), Some(Unusable::Algorithm));
        for alg in ["EdDSA", "ES256", "ES384"] {
            assert_eq!(reason(&key_for(alg)), Some(Unusable::Algorithm), "{alg}");
        }
        assert_eq!(
            read(&key_for("HS256"), &[Algorithm::HS256]).err(),
            Some(Unusable::Algorithm)
        );
    }

    #[test]
    fn keys_of_the_wrong_length_are_malformed() {
        assert_eq!(reason(&ed25519_key(&[7; 31])), Some(Unusable::Malformed));
        assert_eq!(
            reason(&with("x", json!("not base64!"))),
            Some(Unusable::Malformed)
        );

        let padded = |coordinate: [u8; 32]| [&[0], coordinate.as_slice()].concat();
        assert_eq!(reason(&p256_key(&P256_X, &P256_Y)), None);
        for (x, y) in [
            (&P256_X[1..], &P256_Y[..]),
            (&P256_X, &P256_Y[1..]),
            (&padded(P256_X), &P256_Y),
            (&P256_X, &padded(P256_Y)),
        ] {
            assert_eq!(reason(&p256_key(x, y)), Some(Unusable::Malformed), "{x:?}, {y:?}");
        }
    }

    #[test]
    fn a_point_that_is_not_on_its_curve_is_malformed() {
        let on_no_curve = p256_key(&P256_Y, &P256_X);
        assert_eq!(reason(&on_no_curve), Some(Unusable::Malformed));

        let mut on_another_curve = p256_key(&padded_to_48(P256_X), &padded_to_48(P256_Y));
        on_another_curve["crv"] = json!("P-384");
        assert_eq!(reason(&on_another_curve), Some(Unusable::Malformed));
    }

    fn padded_to_48(coordinate: [u8; 32]) -> Vec<u8> {
        [&[0; 16], coordinate.as_slice()].concat()
    }

    #[test]
    fn weak_keys_are_refused() {
        let small_order = [0; 32];
        assert_eq!(reason(&ed25519_key(&small_order)), Some(Unusable::Weak));

        let n = [0xff; 256];
        assert_eq!(reason(&rsa_key(&n, &[1, 0, 1])), None);
        assert_eq!(reason(&rsa_key(&n[..255], &[1, 0, 1])), Some(Unusable::Weak));
        assert_eq!(reason(&rsa_key(&[0x7f; 256], &[1, 0, 1])), Some(Unusable::Weak));
        assert_eq!(reason(&rsa_key(&[0xff; 1025], &[1, 0, 1])), Some(Unusable::Weak));
        assert_eq!(reason(&rsa_key(&n, &[3])), Some(Unusable::Weak));
        assert_eq!(reason(&rsa_key(&n, &[1, 0, 2])), Some(Unusable::Weak));
        assert_eq!(reason(&rsa_key(&n, &[1, 0xff, 0xff, 0xff, 0xff])), None);
        for long in [[2, 0, 0, 0, 1].as_slice(), &[1, 0, 0, 0, 0, 0, 0, 0, 1]] {
            assert_eq!(reason(&rsa_key(&n, long)), Some(Unusable::Weak), "{long:?}");
        }
        let even = [n[1..].to_vec(), vec![0xfe]].concat();
        assert_eq!(reason(&rsa_key(&even, &[1, 0, 1])), Some(Unusable::Weak));
        assert_eq!(reason(&rsa_key(&n, &[0, 1, 0, 1])), Some(Unusable::Malformed));
    }
}
