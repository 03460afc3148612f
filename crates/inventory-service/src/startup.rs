//! Assembles the service and runs it.

use std::error::Error;

use db::{Db, Migrations};
use service_kit::{Runtime, Server};

use crate::config::Config;
use crate::products::Products;
use crate::stocktaking::Stocktaking;
use crate::{NAME, docs, routes};

static MIGRATIONS: Migrations = Migrations {
    sqlite: sqlx::migrate!("../../migrations/inventory-service/sqlite"),
    postgres: sqlx::migrate!("../../migrations/inventory-service/postgres"),
};

/// Runs the service until shutdown is requested.
///
/// # Errors
/// When the database or the listener can't be opened, or a migration fails.
pub async fn run(config: Config, runtime: Runtime) -> Result<(), Box<dyn Error>> {
    let verifier = config.auth.verifier(NAME, &runtime)?;
    let products = Products(config.products.client()?);
    let db = Db::open(&config.database, &MIGRATIONS).await?;
    let stocktaking = Stocktaking {
        db: db.clone(),
        products: products.clone(),
        clock: runtime.clock.clone(),
    };

    Server::new(NAME, routes::routes, docs::openapi())
        .verifier(verifier)
        .database(db.clone())
        .data(products)
        .data(stocktaking)
        .data(runtime.clock)
        .run(runtime.listener, runtime.shutdown)
        .await?;
    db.close().await;
    Ok(())
}
