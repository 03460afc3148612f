//! Assembles the service and runs it.

use std::error::Error;

use db::{Db, Migrations};
use service_kit::{Runtime, Server};

use crate::config::Config;
use crate::orders::Orders;
use crate::{NAME, docs, routes};

static MIGRATIONS: Migrations = Migrations {
    sqlite: sqlx::migrate!("../../migrations/review-service/sqlite"),
    postgres: sqlx::migrate!("../../migrations/review-service/postgres"),
};

/// Runs the service until shutdown is requested.
///
/// # Errors
/// When the database or the listener can't be opened, or a migration fails.
pub async fn run(config: Config, runtime: Runtime) -> Result<(), Box<dyn Error>> {
    let verifier = config.auth.verifier(NAME, &runtime)?;
    let orders = Orders(config.orders.client()?);
    let db = Db::open(&config.database, &MIGRATIONS).await?;

    Server::new(NAME, routes::routes, docs::openapi())
        .verifier(verifier)
        .database(db.clone())
        .data(orders)
        .data(runtime.clock)
        .run(runtime.listener, runtime.shutdown)
        .await?;

    db.close().await;
    Ok(())
}
