//! Makes verification keys from public keys, and refuses weak ones.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, EcdsaVerificationAlgorithm, ParsedPublicKey,
};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};

use super::jwk::MAX_KID_BYTES;
use super::key::Key;
use super::small_order::has_small_order;

/// RFC 7518 §3.3 requires at least 2048 bits. The maximum bounds the cost of a verification.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Smaller public exponents have known attacks. The library refuses larger ones.
const RSA_EXPONENTS: std::ops::RangeInclusive<u64> = 65_537..=(1 << 33) - 1;

/// Why a key can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    #[error("malformed")]
    Malformed,
    #[error("kid empty, or longer than {MAX_KID_BYTES} bytes")]
    KeyId,
    #[error("no kid, and not the only key")]
    NoKeyId,
    #[error("duplicate kid")]
    Duplicate,
    #[error("a private or symmetric key was published")]
    Secret,
    #[error("not for verifying signatures")]
    OtherUse,
    #[error("key type or algorithm not accepted")]
    Algorithm,
    #[error("weak")]
    Weak,
}

/// An Ed25519 key (RFC 8032 §5.1.5).
pub(super) fn ed25519(point: Vec<u8>) -> Result<Key, Unusable> {
    let bytes = point.as_slice().try_into().map_err(|_| Unusable::Malformed)?;
    if has_small_order(bytes) {
        return Err(Unusable::Weak);
    }
    Ok(Key {
        algorithm: Algorithm::EdDSA,
        decoding: DecodingKey::from_ed_der(&point),
        material: point,
    })
}

/// A key for ES256. The coordinates of the point, one after the other.
pub(super) fn p256(coordinates: &[u8]) -> Result<Key, Unusable> {
    ecdsa(coordinates, Algorithm::ES256, &ECDSA_P256_SHA256_FIXED)
}

/// A key for ES384. The coordinates of the point, one after the other.
pub(super) fn p384(coordinates: &[u8]) -> Result<Key, Unusable> {
    ecdsa(coordinates, Algorithm::ES384, &ECDSA_P384_SHA384_FIXED)
}

fn ecdsa(
    coordinates: &[u8],
    algorithm: Algorithm,
    verification: &'static EcdsaVerificationAlgorithm,
) -> Result<Key, Unusable> {
    let point = [&[4], coordinates].concat();
    // Parsing checks that the point is on the curve. Otherwise the key would count as usable, although it can't verify any token.
    ParsedPublicKey::new(verification, &point).map_err(|_| Unusable::Malformed)?;
    Ok(Key {
        algorithm,
        decoding: DecodingKey::from_ec_der(&point),
        material: point,
    })
}

/// An RSA key for this algorithm: modulus and exponent as big-endian numbers without leading zeros.
pub(super) fn rsa(n: &[u8], e: &[u8], algorithm: Algorithm) -> Result<Key, Unusable> {
    // Otherwise the key would count as usable, although it can't verify any token.
    if !AlgorithmFamily::Rsa.algorithms().contains(&algorithm) {
        return Err(Unusable::Algorithm);
    }
    let bits = n.len() * 8 - n.first().map_or(0, |byte| byte.leading_zeros() as usize);
    let exponent = e.iter().fold(0_u64, |sum, byte| {
        sum.saturating_mul(256).saturating_add(u64::from(*byte))
    });
    if n.first() == Some(&0) || e.first() == Some(&0) {
        return Err(Unusable::Malformed);
    }
    let is_even = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 0);
    if !RSA_BITS.contains(&bits) || !RSA_EXPONENTS.contains(&exponent) || is_even(n) || is_even(e) {
        return Err(Unusable::Weak);
    }
    Ok(Key {
        algorithm,
        decoding: DecodingKey::from_rsa_raw_components(n, e),
        material: [n, e].concat(),
    })
}
