//! Assembles the service and runs it.

use std::error::Error;

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

/// Runs the service until shutdown is requested.
///
/// # Errors
/// When the database or the listener can't be opened, or a migration fails.
pub async fn run(config: Config, runtime: Runtime) -> Result<(), Box<dyn Error>> {
    let verifier = config.auth.verifier(NAME, &runtime)?;
    let db = Db::open(&config.database, &MIGRATIONS).await?;
    let clock = runtime.clock;

    let stock = StockSync {
        db: db.clone(),
        inventory: Inventory(config.inventory.client()?),
        clock: clock.clone(),
    };
    let checkout = Checkout {
        db: db.clone(),
        products: Products(config.products.client()?),
        stock: stock.clone(),
        clock: clock.clone(),
    };
    let decisions = Decisions {
        db: db.clone(),
        stock: stock.clone(),
        clock: clock.clone(),
    };
    let cleanup = KeyCleanup {
        db: db.clone(),
        clock,
    };

    Server::new(NAME, routes::routes, docs::openapi())
        .verifier(verifier)
        .database(db.clone())
        .data(checkout)
        .data(decisions)
        // Dropped at shutdown, perhaps in the middle of a task. The task is then repeated after the next start.
        .background("stock worker", move || stock.clone().run_worker())
        .background("idempotency key cleanup", move || cleanup.clone().run())
        .run(runtime.listener, runtime.shutdown)
        .await?;
    db.close().await;
    Ok(())
}
