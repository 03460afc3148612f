//! The configuration of the service.

use db::DatabaseUrl;
use service_kit::{AuthSettings, Env, Neighbour, Neighbours, Settings};

use crate::NAME;

/// The service's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The database that stores reviews.
    pub database: DatabaseUrl,
    /// The issuer and keys that tokens are verified with.
    pub auth: AuthSettings,
    /// order-service, which knows who bought what.
    pub orders: Neighbour,
}

impl Config {
    /// Reads the configuration. Problems are collected in `env`, which reports all of them together.
    pub fn read(env: &mut Env, settings: Settings) -> Self {
        let orders = Neighbours::read(env, &settings, NAME).to(env, "order-service");
        let file = DatabaseUrl::Sqlite(settings.data_dir.join("review-service.db"));
        Self {
            database: env.parse_secret("DATABASE_URL", file, DatabaseUrl::FORM),
            auth: settings.auth,
            orders,
        }
    }
}
