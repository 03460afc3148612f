//! Assembles the service and runs it.

use std::error::Error;

use auth::Verifier;
use db::{Db, Migrations};
use service_kit::{Runtime, Server};

use crate::checkout::Checkout;
use crate::cleanup::KeyCleanup;
use crate::config::Config;
use crate::decisions::Decisions;
use crate::inventory::Inventory;
use crate::products::Products;
use crate::stock::StockSync;
use crate::{NAME, docs, routes};

static MIGRATIONS: Migrations = Migrations {
    sqlite: sqlx::migrate!("../../migrations/order-service/sqlite"),
    postgres: sqlx::migrate!("../../migrations/order-service/postgres"),
};

/// Runs the service with the verifier that the configuration describes.
pub async fn run(config: Config, runtime: Runtime) -> Result<(), Box<dyn Error>> {
    let verifier = config.auth.verifier(NAME, &runtime)?;
    run_with(config, verifier, runtime).await
}

/// Runs the service with the given verifier. Tests use it, which sign their own tokens.
pub async fn run_with(config: Config, verifier: Verifier, runtime: Runtime) -> Result<(), Box<dyn Error>> {
    let db = Db::open(&config.database, &MIGRATIONS).await?;
    let stock = StockSync {
        db: db.clone(),
        inventory: Inventory(config.inventory.client()?),
        clock: runtime.clock.clone(),
    };
    let checkout = Checkout {
        db: db.clone(),
        products: Products(config.products.client()?),
        stock: stock.clone(),
        clock: runtime.clock.clone(),
    };
    let decisions = Decisions {
        db: db.clone(),
        stock: stock.clone(),
        clock: runtime.clock.clone(),
    };
    let cleanup = KeyCleanup {
        db: db.clone(),
        clock: runtime.clock.clone(),
    };
    let mut worker = actix_web::rt::spawn(stock.run_worker());
    let cleanup = actix_web::rt::spawn(cleanup.run());

    let database = db.clone();
    let service = Server::new(NAME, routes::routes, docs::handlers())
        .verifier(verifier)
        .data(db.clone())
        .data(checkout)
        .data(decisions)
        .data(runtime.clock)
        .ready_when("database", move || database.clone().is_reachable())
        .run(runtime.listener, runtime.shutdown);
    let served = tokio::select! {
        served = service => served,
        // Without the worker, orders would be accepted and never finished.
        _ = &mut worker => Err(std::io::Error::other("the stock worker has stopped")),
    };
    // A task that is aborted here is repeated after the next start, as after a crash.
    worker.abort();
    cleanup.abort();
    served?;
    db.close().await;
    Ok(())
}
