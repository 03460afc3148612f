//! Puts the service together and runs it.

use std::error::Error;

use auth::Verifier;
use db::{Db, Migrations};
use service_kit::{Host, Service};

use crate::config::Config;
use crate::products::Products;
use crate::{NAME, docs, routes};

static MIGRATIONS: Migrations = Migrations {
    sqlite: sqlx::migrate!("../../migrations/inventory-service/sqlite"),
    postgres: sqlx::migrate!("../../migrations/inventory-service/postgres"),
};

/// Runs the service with the verifier that its configuration asks for.
pub async fn run(config: Config, host: Host) -> Result<(), Box<dyn Error>> {
    let verifier = config.auth.verifier(NAME, &host)?;
    run_with(config, verifier, host).await
}

/// Runs the service with this verifier, as tests do that sign their own tokens.
pub async fn run_with(config: Config, verifier: Verifier, host: Host) -> Result<(), Box<dyn Error>> {
    let products = Products(config.products.client()?);
    let db = Db::open(&config.database, &MIGRATIONS).await?;
    let database = db.clone();
    Service::new(NAME, routes::routes, docs::handlers())
        .verifier(verifier)
        .data(db.clone())
        .data(products)
        .data(host.clock)
        .ready_when("database", move || database.clone().is_reachable())
        .run(host.listener, host.shutdown)
        .await?;
    db.close().await;
    Ok(())
}
