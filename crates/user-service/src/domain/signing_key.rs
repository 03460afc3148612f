//! Signing keys: their algorithms and their states.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::rotation_request::{RotationReason, RotationRequest};

/// The algorithm that access tokens and service tokens are signed with (`SIGNING_ALG`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, sqlx::Type, ToSchema)]
#[sqlx(type_name = "text")]
pub enum SigningAlgorithm {
    /// Ed25519 (RFC 8037 §3.1). The default.
    #[default]
    #[serde(rename = "EdDSA")]
    #[sqlx(rename = "EdDSA")]
    EdDsa,
    /// ECDSA with P-256 and SHA-256 (RFC 7518 §3.4), for verifiers that don't support Ed25519.
    #[serde(rename = "ES256")]
    #[sqlx(rename = "ES256")]
    Es256,
}

/// A value of `SIGNING_ALG` that is not supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be {}", SigningAlgorithm::EXPECTED)]
pub struct UnsupportedAlgorithm;

impl SigningAlgorithm {
    /// The accepted names, for error texts.
    pub(crate) const EXPECTED: &str = "EdDSA or ES256";

    /// The name in a token's header and in a JWK (RFC 7518 §3.1).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
        }
    }
}

impl FromStr for SigningAlgorithm {
    type Err = UnsupportedAlgorithm;

    fn from_str(text: &str) -> Result<Self, UnsupportedAlgorithm> {
        [Self::EdDsa, Self::Es256]
            .into_iter()
            .find(|algorithm| algorithm.name() == text)
            .ok_or(UnsupportedAlgorithm)
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A signing key's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, sqlx::Type, ToSchema)]
#[schema(example = "active")]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub(crate) enum KeyState {
    /// Becomes active at the next rotation. The key is published, so that every verifier holds it before it signs.
    Next,
    /// The key that signs tokens.
    Active,
    /// No longer signs. The key is published until the last token that it signed has expired.
    Retiring,
}

impl KeyState {
    /// The name in the database and in the API.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retiring => "retiring",
        }
    }
}

/// A signing key as it is stored.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct SigningKey {
    pub kid: String,
    pub algorithm: SigningAlgorithm,
    pub state: KeyState,
    /// An Ed25519 public key, or an uncompressed P-256 point.
    pub public_key: Vec<u8>,
    /// The private key in PKCS #8, encrypted.
    pub sealed_private: Vec<u8>,
    pub created_at: DateTime<Utc>,
    /// When the key became active.
    pub activated_at: Option<DateTime<Utc>>,
    /// The time until which a retiring key is published. `None` in the other states.
    pub not_after: Option<DateTime<Utc>>,
    /// When a rotation was requested, which waits until all verifiers hold this key. `None` if none was, and in the other states.
    pub rotation_requested_at: Option<DateTime<Utc>>,
    pub rotation_reason: Option<RotationReason>,
    /// The admin who requested the rotation.
    pub rotation_requested_by: Option<Uuid>,
}

impl SigningKey {
    /// The requested rotation, which will make this key active.
    pub(crate) fn rotation_request(&self) -> Option<RotationRequest> {
        Some(RotationRequest {
            at: self.rotation_requested_at?,
            reason: self.rotation_reason?,
            by: self.rotation_requested_by,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_algorithm_is_read_by_its_exact_name() {
        for algorithm in [SigningAlgorithm::EdDsa, SigningAlgorithm::Es256] {
            assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
        }
        for other in ["", "eddsa", "Ed25519", "ES384", "HS256", "none"] {
            assert_eq!(
                other.parse::<SigningAlgorithm>(),
                Err(UnsupportedAlgorithm),
                "{other}"
            );
        }
        assert_eq!(UnsupportedAlgorithm.to_string(), "must be EdDSA or ES256");
    }
}
