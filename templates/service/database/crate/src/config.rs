//! The configuration of the service.

use db::DatabaseUrl;
use service_kit::{AuthSettings, Env, Settings};

/// The service's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The database that stores notes.
    pub database: DatabaseUrl,
    /// The issuer and keys that tokens are verified with.
    pub auth: AuthSettings,
}

impl Config {
    /// Reads the configuration. Problems are collected in `env`, which reports all of them together.
    pub fn read(env: &mut Env, settings: Settings) -> Self {
        let file = DatabaseUrl::Sqlite(settings.data_dir.join("example-service.db"));
        Self {
            database: env.parse_secret("DATABASE_URL", file, DatabaseUrl::FORM),
            auth: settings.auth,
        }
    }
}
