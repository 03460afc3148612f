//! The configuration of the service.

use db::DatabaseUrl;
use service_kit::{AuthSettings, Env, Neighbour, Neighbours, Settings};

use crate::NAME;

/// The service's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The database that stores orders.
    pub database: DatabaseUrl,
    /// The issuer and keys that tokens are verified with.
    pub auth: AuthSettings,
    /// product-service, for names and prices.
    pub products: Neighbour,
    /// inventory-service, for stock.
    pub inventory: Neighbour,
}

impl Config {
    /// Reads the configuration. Problems are collected in `env`, which reports all of them together.
    pub fn read(env: &mut Env, settings: Settings) -> Self {
        let neighbours = Neighbours::read(env, &settings, NAME);
        let file = DatabaseUrl::Sqlite(settings.data_dir.join("order-service.db"));
        Self {
            database: env.parse_secret("DATABASE_URL", file, DatabaseUrl::FORM),
            products: neighbours.to(env, "product-service"),
            inventory: neighbours.to(env, "inventory-service"),
            auth: settings.auth,
        }
    }
}
