//! Notes. Each user writes one, and only that user and admins read it. Everyone may read how many notes there are, and other
//! services may, too.
//!
//! `routes` lists every URL and its handler, with one use case per file below it. `domain` holds the rules and `store` the SQL.

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
pub use self::docs::openapi;
pub use self::routes::routes;

/// The service's name: of its program, its tokens' audience and its entry in the registry.
pub const NAME: &str = "example-service";

/// Reads the configuration from the environment and runs the service until it is asked to stop.
#[must_use]
pub fn launch(input: StandardInput) -> ExitCode {
    service_kit::launch(NAME, Config::read, startup::run, input)
}
