//! The handlers' part of the OpenAPI document. A test checks that it lists exactly the routes of the service.

use utoipa::OpenApi;

use crate::routes::{about, admin, service, user};

#[derive(OpenApi)]
#[openapi(
    tags(
        (name = "examples", description = "One route for each kind of caller."),
        (name = "internal", description = "For services."),
    ),
    info(description = "Callers as this service sees them."),
    paths(about::about, user::user, admin::admin, service::service)
)]
struct Handlers;

/// The OpenAPI description of the handlers.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Handlers::openapi()
}
