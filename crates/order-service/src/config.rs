//! What the service has to be told.

use db::DatabaseUrl;
use service_kit::{AuthSettings, Env, Neighbour, Neighbours, Settings};

use crate::NAME;

/// The service's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where orders are kept.
    pub database: DatabaseUrl,
    /// Whose tokens to believe.
    pub auth: AuthSettings,
    /// Who knows names and prices.
    pub products: Neighbour,
    /// Who has the stock.
    pub inventory: Neighbour,
}

impl Config {
    /// Reads it.
    pub fn read(env: &mut Env, settings: Settings) -> Self {
        let calls = Neighbours::read(env, &settings, NAME);
        let file = DatabaseUrl::Sqlite(settings.data_dir.join("order-service.db"));
        Self {
            database: env.parse_secret("DATABASE_URL", file, DatabaseUrl::FORM),
            products: calls.to(env, "product-service"),
            inventory: calls.to(env, "inventory-service"),
            auth: settings.auth,
        }
    }
}
