//! The secrets of services, of which nothing is kept but hashes.

use std::collections::BTreeMap;
use std::fmt;

use auth::SharedSecret;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use secrecy::ExposeSecret as _;
use service_kit::{Env, Register};

/// SHA-256 of a secret. That is enough, where a password needs argon2: a secret is made by a machine and has 256 random bits, so
/// that no list of guesses holds it, and a service's token would else cost what a login costs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SecretHash([u8; 32]);

impl SecretHash {
    /// No secret has this one.
    pub(crate) const NOBODYS: Self = Self([0; 32]);

    fn of(secret: &str) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
        Self(hash)
    }

    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is this secret's. Takes as long wherever they differ.
    pub(crate) fn is_of(&self, secret: &str) -> bool {
        verify_slices_are_equal(&self.0, &Self::of(secret).0).is_ok()
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash([redacted])")
    }
}

/// The secrets that this service was told (`<NAME>_SECRET`), by the services' names.
#[derive(Clone, Debug, Default)]
pub struct ClientSecrets(BTreeMap<String, SecretHash>);

impl ClientSecrets {
    /// Reads one for each registered service but `own`, and says which have none.
    pub(crate) fn read(env: &mut Env, own: &str) -> Self {
        let mut secrets = BTreeMap::new();
        for service in Register::built_in().iter().filter(|service| service.name != own) {
            let variable = format!("{}_SECRET", service.variable_prefix());
            let Some(secret) = env.secret(&variable) else {
                continue;
            };
            // As weak a secret as would be refused for signing is refused here.
            if let Err(weakness) = SharedSecret::new(secret.expose_secret().into()) {
                env.problem(&variable, weakness.to_string());
            }
            secrets.insert(service.name.clone(), SecretHash::of(secret.expose_secret()));
        }
        Self(secrets)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &SecretHash)> {
        self.0.iter().map(|(name, hash)| (name.as_str(), hash))
    }

    pub(crate) fn have(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_of_one_secret_and_is_not_printed() {
        let hash = SecretHash::of("one");
        assert!(hash.is_of("one") && !hash.is_of("") && !hash.is_of("One") && !hash.is_of("one "));
        assert!(!SecretHash::NOBODYS.is_of(""));
        assert_eq!(SecretHash::read(hash.as_bytes()), Some(hash));
        assert_eq!(SecretHash::read(b"short"), None);
        assert_eq!(format!("{hash:?}"), "SecretHash([redacted])");
    }
}
