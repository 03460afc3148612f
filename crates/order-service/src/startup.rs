//! Puts the service together and runs it.

use std::error::Error;

use auth::Verifier;
use db::{Db, Migrations};
use service_kit::{Runtime, Server};

use crate::checkout::Checkout;
use crate::config::Config;
use crate::inventory::Inventory;
use crate::products::Products;
use crate::stock::Stock;
use crate::{NAME, docs, routes};

static MIGRATIONS: Migrations = Migrations {
    sqlite: sqlx::migrate!("../../migrations/order-service/sqlite"),
    postgres: sqlx::migrate!("../../migrations/order-service/postgres"),
};

/// Runs the service with the verifier that its configuration asks for.
pub async fn run(config: Config, runtime: Runtime) -> Result<(), Box<dyn Error>> {
    let verifier = config.auth.verifier(NAME, &runtime)?;
    run_with(config, verifier, runtime).await
}

/// Runs the service with this verifier, as tests do that sign their own tokens.
pub async fn run_with(config: Config, verifier: Verifier, runtime: Runtime) -> Result<(), Box<dyn Error>> {
    let db = Db::open(&config.database, &MIGRATIONS).await?;
    let inventory = Inventory(config.inventory.client()?);
    let stock = Stock {
        db: db.clone(),
        inventory,
        clock: runtime.clock.clone(),
    };
    let checkout = Checkout {
        db: db.clone(),
        products: Products(config.products.client()?),
        stock: stock.clone(),
        clock: runtime.clock.clone(),
    };
    let mut worker = actix_web::rt::spawn(stock.clone().keep_working());

    let database = db.clone();
    let service = Server::new(NAME, routes::routes, docs::handlers())
        .verifier(verifier)
        .data(db.clone())
        .data(checkout)
        .data(stock)
        .data(runtime.clock)
        .ready_when("database", move || database.clone().is_reachable())
        .run(runtime.listener, runtime.shutdown);
    let served = tokio::select! {
        served = service => served,
        // Without it orders would be taken and never settled.
        _ = &mut worker => Err(std::io::Error::other("the worker has ended")),
    };
    // What it is at in this moment is as unfinished as after a crash, and taken up as that.
    worker.abort();
    served?;
    db.close().await;
    Ok(())
}
