//! The inner server: metrics and health checks, on a port that clients don't reach.

use auth::Routes;
use service_kit::Server;
use utoipa::OpenApi;

use crate::NAME;
use crate::worker::Gateway;

/// The inner routes. `service-kit` adds those that every service has.
#[derive(OpenApi)]
struct InnerRoutes;

/// The inner server. It is ready when the gateway is.
pub(super) fn server(gateway: &Gateway) -> Server {
    Server::new(NAME, Routes::new, InnerRoutes::openapi()).verifier(gateway.verifier.clone())
}
