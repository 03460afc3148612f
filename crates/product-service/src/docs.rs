//! The handlers' part of the OpenAPI document. A test checks that it lists exactly the routes of the service.

use utoipa::OpenApi;

use crate::routes::{change, create, delete, list, show};

#[derive(OpenApi)]
#[openapi(
    tags((name = "products", description = "The catalogue.")),
    info(description = "The product catalogue: names, descriptions, prices and owners."),
    paths(list::list, show::show, create::create, change::change, delete::delete)
)]
struct Handlers;

/// The OpenAPI description of the handlers.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Handlers::openapi()
}
