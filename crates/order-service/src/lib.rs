//! Orders. Whoever orders gets names and prices from product-service and stock from inventory-service; an order that was
//! acknowledged is never lost, whatever dies on the way.
//!
//! To read it: `routes` lists every URL and its handler, `routes/…` has one use case a file, `domain` says what an order is and
//! what may become of it, `checkout` makes one, `stock` tells inventory-service what was decided, `store` is how it is all
//! kept.

mod checkout;
mod config;
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
pub use self::docs::handlers;
pub use self::routes::routes;

/// The service's name: its program's, its audience's, its row's in the register.
pub const NAME: &str = "order-service";

/// Runs the service, configured by the environment, until it is told to stop.
#[must_use]
pub fn launch(input: StandardInput) -> ExitCode {
    service_kit::launch(NAME, Config::read, startup::run, input)
}
