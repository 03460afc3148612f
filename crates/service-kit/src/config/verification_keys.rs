//! The keys that tokens are verified with.

use auth::{Algorithm, KeySet, Keys, RemoteKeys, RemoteKeysError, SharedSecret};
use secrecy::ExposeSecret as _;
use url::Url;

use super::env::Env;

/// The source of verification keys.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// The key set at this URL.
    Jwks(String),
    /// One shared secret (`JWT_SECRET`).
    Secret(SharedSecret),
    /// These keys. Only tests use them, because they sign their own tokens.
    Fixed(KeySet),
}

impl KeySource {
    /// Reads the source of user-service's keys: `JWT_SECRET`, or else `AUTH_JWKS_URL`.
    pub(super) fn read(env: &mut Env, user_service: &str) -> Self {
        let url = env
            .text("AUTH_JWKS_URL")
            .unwrap_or_else(|| format!("{user_service}/.well-known/jwks.json"));
        let Some(secret) = env.secret("JWT_SECRET") else {
            if !Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
                env.problem("AUTH_JWKS_URL", "must be an http or https URL");
            }
            return Self::Jwks(url);
        };
        match SharedSecret::new(secret.expose_secret().into()) {
            Ok(secret) => Self::Secret(secret),
            Err(weakness) => {
                env.problem("JWT_SECRET", weakness.to_string());
                Self::Jwks(url)
            }
        }
    }

    /// The keys, of which those for these algorithms are used. May start to fetch a key set.
    pub(super) fn keys(&self, algorithms: &[Algorithm]) -> Result<Keys, RemoteKeysError> {
        Ok(match self {
            Self::Jwks(url) => Keys::remote(RemoteKeys::at(url)?.algorithms(algorithms)),
            Self::Secret(secret) => Keys::new(secret.clone().into()),
            Self::Fixed(keys) => Keys::new(keys.clone()),
        })
    }
}
