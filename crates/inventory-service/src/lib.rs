//! The stock of each product, and its reservations for orders. Everyone may read stock, a product's owner and admins set it,
//! and order-service reserves, commits and releases it. No item is ever reserved for two orders.
//!
//! `routes` lists every URL and its handler, with one use case per file below it. `stocktaking` sets stock, `products` calls
//! product-service, `domain` holds the rules and `store` the SQL.

mod config;
mod docs;
mod domain;
mod error;
mod products;
mod routes;
pub mod startup;
mod stocktaking;
mod store;

use std::process::ExitCode;

use service_kit::StandardInput;

pub use self::config::Config;
pub use self::docs::openapi;
pub use self::routes::routes;

/// The service's name: of its program, its tokens' audience and its entry in the registry.
pub const NAME: &str = "inventory-service";

/// Reads the configuration from the environment and runs the service until it is asked to stop.
#[must_use]
pub fn launch(input: StandardInput) -> ExitCode {
    service_kit::launch(NAME, Config::read, startup::run, input)
}
