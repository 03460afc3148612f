//! The handlers' part of the OpenAPI document. A test checks that it lists exactly the routes of the service.

use utoipa::OpenApi;

use crate::routes::{count, list, read, report, write};

#[derive(OpenApi)]
#[openapi(
    tags(
        (name = "examples", description = "One route for each kind of caller."),
        (name = "internal", description = "For services."),
    ),
    info(description = "Notes: each user writes one."),
    paths(count::count, read::read, write::write, list::list, report::report)
)]
struct Handlers;

/// The OpenAPI description of the handlers.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Handlers::openapi()
}
