//! The configuration of the service.

use db::DatabaseUrl;
use service_kit::{AuthSettings, Env, Neighbour, Neighbours, Settings};

use crate::NAME;

/// The service's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The database that stores stock and reservations.
    pub database: DatabaseUrl,
    /// The issuer and keys that tokens are verified with.
    pub auth: AuthSettings,
    /// product-service, for the owners of products.
    pub products: Neighbour,
}

impl Config {
    /// Reads the configuration. Problems are collected in `env`, which reports all of them together.
    pub fn read(env: &mut Env, settings: Settings) -> Self {
        let file = DatabaseUrl::Sqlite(settings.data_dir.join("inventory-service.db"));
        let products = Neighbours::read(env, &settings, NAME).to(env, "product-service");
        let database = env.parse_secret("DATABASE_URL", file, DatabaseUrl::FORM);
        Self {
            database,
            auth: settings.auth,
            products,
        }
    }
}
