//! The configuration of the service.

use service_kit::{AuthSettings, Env, Settings};

/// The service's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The issuer and keys that tokens are verified with.
    pub auth: AuthSettings,
}

impl Config {
    /// Reads the configuration. Problems are collected in `env`, which reports all of them together.
    #[must_use]
    pub fn read(_: &mut Env, settings: Settings) -> Self {
        Self { auth: settings.auth }
    }
}
