//! Assembles the service and runs it.

use std::error::Error;

use service_kit::{Runtime, Server};

use crate::config::Config;
use crate::{NAME, docs, routes};

/// Runs the service until shutdown is requested.
///
/// # Errors
/// When the listener can't be opened.
pub async fn run(config: Config, runtime: Runtime) -> Result<(), Box<dyn Error>> {
    let verifier = config.auth.verifier(NAME, &runtime)?;

    Server::new(NAME, routes::routes, docs::openapi())
        .verifier(verifier)
        .run(runtime.listener, runtime.shutdown)
        .await?;
    Ok(())
}
