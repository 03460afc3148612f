//! Reads a public key from PEM.

use jsonwebtoken::Algorithm;
use pkcs1::RsaPublicKeyRef;
use spki::der::Decode as _;
use spki::{Document, ObjectIdentifier, SubjectPublicKeyInfoRef};

use super::key::Key;
use super::public_key::{self, Unusable};

const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// Why a PEM file can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// Not one block `PUBLIC KEY` or `RSA PUBLIC KEY`. `openssl x509 -pubkey -noout` reads the public key of a certificate.
    #[error("not a PEM file with one PUBLIC KEY")]
    Malformed,
    /// A private key. A verifier must not have it.
    #[error("a private key: a verifier needs the public key, and must not have the private one")]
    PrivateKey,
    /// The key is not one for this algorithm.
    #[error("not a key for this algorithm")]
    Algorithm,
    /// An RSA key with less than 2048 or more than 8192 bits or an unusual exponent, or a point of small order.
    #[error("a weak key")]
    Weak,
}

/// Reads a key for this algorithm.
pub(super) fn read(pem: &str, algorithm: Algorithm) -> Result<Key, PemError> {
    if pem.contains("PRIVATE KEY-----") {
        return Err(PemError::PrivateKey);
    }
    let (label, document) = Document::from_pem(pem.trim()).map_err(|_| PemError::Malformed)?;
    let key = match label {
        "PUBLIC KEY" => read_info(document.as_bytes(), algorithm),
        "RSA PUBLIC KEY" => read_rsa(document.as_bytes(), algorithm),
        _ => return Err(PemError::Malformed),
    };
    match key {
        Ok(key) if key.algorithm == algorithm => Ok(key),
        Ok(_) | Err(Unusable::Algorithm) => Err(PemError::Algorithm),
        Err(Unusable::Weak) => Err(PemError::Weak),
        Err(_) => Err(PemError::Malformed),
    }
}

/// RFC 5280 §4.1.2.7.
fn read_info(der: &[u8], algorithm: Algorithm) -> Result<Key, Unusable> {
    let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| Unusable::Malformed)?;
    let key = info.subject_public_key.as_bytes().ok_or(Unusable::Malformed)?;
    // RFC 5480 §2.2: an uncompressed point begins with the byte 4.
    let coordinates = || key.strip_prefix(&[4]).ok_or(Unusable::Malformed);
    match (info.algorithm.oid, info.algorithm.parameters_oid().ok()) {
        (ED25519, _) => public_key::ed25519(key.to_vec()),
        (EC, Some(P256)) => public_key::p256(coordinates()?),
        (EC, Some(P384)) => public_key::p384(coordinates()?),
        (RSA, _) => read_rsa(key, algorithm),
        _ => Err(Unusable::Algorithm),
    }
}

/// RFC 8017 appendix A.1.1.
fn read_rsa(der: &[u8], algorithm: Algorithm) -> Result<Key, Unusable> {
    let key = RsaPublicKeyRef::from_der(der).map_err(|_| Unusable::Malformed)?;
    public_key::rsa(key.modulus.as_bytes(), key.public_exponent.as_bytes(), algorithm)
}
