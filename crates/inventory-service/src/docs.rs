//! The handlers' part of the OpenAPI document. A test checks that it lists exactly the routes of the service.

use utoipa::OpenApi;

use crate::routes::{commit, release, reserve, set, show};

#[derive(OpenApi)]
#[openapi(
    tags(
        (name = "inventory", description = "The stock of products."),
        (name = "reservations", description = "Stock that is set aside for orders. For order-service."),
    ),
    info(description = "The stock of each product, and its reservations for orders."),
    paths(show::show, set::set, reserve::reserve, commit::commit, release::release)
)]
struct Handlers;

/// The OpenAPI description of the handlers.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Handlers::openapi()
}
