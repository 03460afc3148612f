//! Reviews of products. Everyone may read them. A user who bought a product writes one review of it; the author and admins delete it.
//!
//! `routes` lists every URL and its handler, with one use case per file below it. `orders` calls order-service, `domain` holds the
//! rules and `store` the SQL.

mod config;
mod docs;
mod domain;
mod error;
mod orders;
mod routes;
pub mod startup;
mod store;

use std::process::ExitCode;

use service_kit::StandardInput;

pub use self::config::Config;
pub use self::docs::openapi;
pub use self::routes::routes;

/// The service's name: of its program, its tokens' audience and its entry in the registry.
pub const NAME: &str = "review-service";

/// Reads the configuration from the environment and runs the service until it is asked to stop.
#[must_use]
pub fn launch(input: StandardInput) -> ExitCode {
    service_kit::launch(NAME, Config::read, startup::run, input)
}
