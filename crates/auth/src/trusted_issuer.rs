//! An issuer that a verifier trusts.

use std::sync::Arc;

use crate::keys::Keys;
use crate::profile::Profile;

/// An issuer, the keys that verify its tokens, and what its tokens look like.
#[derive(Debug)]
pub(crate) struct TrustedIssuer {
    /// The value of `iss`.
    pub name: Arc<str>,
    pub keys: Keys,
    pub profile: Profile,
}

impl TrustedIssuer {
    pub fn new(name: &str, keys: Keys, profile: Profile) -> Self {
        Self {
            name: name.into(),
            keys,
            profile,
        }
    }
}
