//! What the service has to be told.

use db::DatabaseUrl;
use service_kit::{AuthSettings, Env, Neighbour, Neighbours, Settings};

use crate::NAME;

/// The service's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where stock is kept.
    pub database: DatabaseUrl,
    /// Whose tokens to believe.
    pub auth: AuthSettings,
    /// Where product-service is.
    pub products: Neighbour,
}

impl Config {
    /// Reads it.
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
