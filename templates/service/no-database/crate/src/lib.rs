//! Callers as this service sees them: it returns what their tokens say about them, and stores nothing.
//!
//! `routes` lists every URL and its handler, with one use case per file below it. `domain` holds the types.

mod config;
mod docs;
mod domain;
mod routes;
pub mod startup;

use std::process::ExitCode;

use service_kit::StandardInput;

pub use self::config::Config;
pub use self::docs::openapi;
pub use self::routes::routes;

/// The service's name: of its program, its tokens' audience and its entry in the registry.
pub const NAME: &str = "example-service";

/// Reads the configuration from the environment and runs the service until it is asked to stop.
#[must_use]
pub fn launch(input: StandardInput) -> ExitCode {
    service_kit::launch(NAME, Config::read, startup::run, input)
}
