//! What there is of each product, and what of it is promised to orders. Anyone may look; a product's owner says how much there
//! is; order-service reserves, and commits or releases what it reserved. Nothing is ever promised twice.
//!
//! To read it: `routes` lists every URL and its handler, `routes/…` has one use case a file, `domain` says what stock and a
//! reservation are, `store` how they are kept, `products` what is asked of product-service.

mod config;
mod docs;
mod domain;
mod error;
mod products;
mod routes;
pub mod startup;
mod store;

use std::process::ExitCode;

use service_kit::StandardInput;

pub use self::config::Config;
pub use self::docs::handlers;
pub use self::routes::routes;

/// The service's name: its program's, its audience's, its row's in the register.
pub const NAME: &str = "inventory-service";

/// Runs the service, configured by the environment, until it is told to stop.
#[must_use]
pub fn launch(input: StandardInput) -> ExitCode {
    service_kit::launch(NAME, Config::read, startup::run, input)
}
