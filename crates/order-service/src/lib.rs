//! Orders. Names and prices come from product-service, stock from inventory-service. An order that a client has received an
//! answer for is never lost, even if a service crashes.
//!
//! `routes` lists every URL and its handler, with one use case per file below it. Placing an order goes down through four
//! modules: `routes/place` → `checkout` (prices, then the order and its stock task in one transaction) → `stock` (executes
//! stock tasks) → `inventory` (calls inventory-service). `decisions` cancels and fulfils, and also ends in `stock`. `domain`
//! holds the rules and `store` the SQL.

mod checkout;
mod cleanup;
mod config;
mod decisions;
mod docs;
mod domain;
mod error;
mod inventory;
mod products;
mod routes;
pub mod startup;
mod stock;
mod store;

use std::process::ExitCode;

use service_kit::StandardInput;

pub use self::config::Config;
pub use self::docs::openapi;
pub use self::routes::routes;

/// The service's name: of its program, its tokens' audience and its entry in the registry.
pub const NAME: &str = "order-service";

/// Reads the configuration from the environment and runs the service until it is asked to stop.
#[must_use]
pub fn launch(input: StandardInput) -> ExitCode {
    service_kit::launch(NAME, Config::read, startup::run, input)
}
