//! The client secret with which a service authenticates at user-service.

use secrecy::SecretString;

use super::env::{Env, variable_prefix};

/// Reads the client secret of the service of this name: `<NAME>_SECRET`. It is a problem if the secret is missing.
pub(super) fn read(env: &mut Env, service: &str) -> SecretString {
    let variable = format!("{}_SECRET", variable_prefix(service));
    env.secret(&variable).unwrap_or_else(|| {
        env.problem(
            &variable,
            "is missing: generate one with `openssl rand -hex 32`, and set it for user-service too",
        );
        SecretString::default()
    })
}
