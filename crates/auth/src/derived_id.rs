//! UUIDs for the ids that other issuers give to users and sessions.

use aws_lc_rs::digest::{Context, SHA256};
use uuid::{Builder, Uuid};

/// The purpose of a user's id.
pub(crate) const USER: &str = "user";
/// The purpose of a session's id.
pub(crate) const SESSION: &str = "session";

/// The version of a UUID with bytes of the application's choice (RFC 9562 §5.8).
pub(crate) const VERSION: usize = 8;

/// A UUID (RFC 9562 §5.8) that stands for this id of this issuer: the beginning of a SHA-256 hash. Two issuers never give the same
/// one, also if both use the same ids.
pub(crate) fn derived_id(purpose: &str, issuer: &str, id: &str) -> Uuid {
    let mut hash = Context::new(&SHA256);
    for part in [purpose, issuer, id] {
        // The length first, so that no two lists of parts are the same bytes.
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let hash = hash.finish();
    let bytes = hash.as_ref().first_chunk().copied().unwrap_or_default();
    Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_stable_and_belongs_to_one_issuer_and_purpose() {
        let id = derived_id(USER, "https://a", "42");
        // Stable across versions, because applications store it.
        assert_eq!(id.to_string(), "8c821f23-d6ac-86c8-9e68-d4c09b7c335c");
        assert_eq!(id.get_version_num(), VERSION);
        for other in [
            derived_id(SESSION, "https://a", "42"),
            derived_id(USER, "https://b", "42"),
            derived_id(USER, "https://a", "43"),
            derived_id(USER, "https://a4", "2"),
        ] {
            assert_ne!(id, other);
        }
    }
}
