//! What the service has to be told.

use db::DatabaseUrl;
use service_kit::{AuthSettings, Env, Settings};

/// The service's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where products are kept.
    pub database: DatabaseUrl,
    /// Whose tokens to believe.
    pub auth: AuthSettings,
}

impl Config {
    /// Reads it.
    pub fn read(env: &mut Env, settings: Settings) -> Self {
        let file = DatabaseUrl::Sqlite(settings.data_dir.join("product-service.db"));
        Self {
            database: env.parse_secret("DATABASE_URL", file, DatabaseUrl::FORM),
            auth: settings.auth,
        }
    }
}
