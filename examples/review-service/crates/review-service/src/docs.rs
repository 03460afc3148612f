//! The handlers' part of the OpenAPI document. A test checks that it lists exactly the routes of the service.

use utoipa::OpenApi;

use crate::routes::{create, delete, list, show};

#[derive(OpenApi)]
#[openapi(
    tags((name = "reviews", description = "Reviews of products.")),
    info(description = "Reviews of products, by users who bought them."),
    paths(list::list, show::show, create::create, delete::delete)
)]
struct Handlers;

/// The OpenAPI description of the handlers.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Handlers::openapi()
}
