//! The catalogue. Anyone may look; whoever may sell owns what they put up; an admin may take it down.
//!
//! To read it: `routes` lists every URL and its handler, `routes/…` has one use case a file, `domain` says what a product is
//! and who may change it, `store` how it is kept.

mod config;
mod docs;
mod domain;
mod error;
mod routes;
pub mod startup;
mod store;

use std::process::ExitCode;

use service_kit::StandardInput;

pub use self::config::Config;
pub use self::docs::handlers;
pub use self::routes::routes;

/// The service's name: its program's, its audience's, its row's in the register.
pub const NAME: &str = "product-service";

/// Runs the service, configured by the environment, until it is told to stop.
#[must_use]
pub fn launch(input: StandardInput) -> ExitCode {
    service_kit::launch(NAME, Config::read, startup::run, input)
}
