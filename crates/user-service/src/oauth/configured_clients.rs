//! The configured client secrets. Only their hashes are kept.

use std::collections::BTreeMap;

use auth::SharedSecret;
use secrecy::ExposeSecret as _;
use service_kit::{Env, Registry};

use crate::domain::SecretHash;

/// The hashes of the configured client secrets (`<NAME>_SECRET`), by service name.
#[derive(Clone, Debug, Default)]
pub struct ClientSecretHashes(BTreeMap<String, SecretHash>);

impl ClientSecretHashes {
    /// Reads the secret of each service that calls others, and reports problems to `env`. A service may have no secret.
    pub(crate) fn read(env: &mut Env, registry: &Registry) -> Self {
        let mut secrets = BTreeMap::new();
        for service in registry.callers() {
            let variable = format!("{}_SECRET", service.variable_prefix());
            let Some(secret) = env.secret(&variable) else {
                continue;
            };
            // The same rules as for `JWT_SECRET`.
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

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}
