//! The handlers' part of the OpenAPI document. A test checks that it lists exactly the routes of the service.

use utoipa::OpenApi;

use crate::routes::{cancel, fulfil, list, place, purchase, show};

#[derive(OpenApi)]
#[openapi(
    tags(
        (name = "orders", description = "Orders of products."),
        (name = "internal", description = "For services."),
    ),
    info(description = "Orders: priced by product-service, backed by reserved stock, never lost."),
    paths(
        place::place,
        list::list,
        show::show,
        cancel::cancel,
        fulfil::fulfil,
        purchase::purchase
    )
)]
struct Handlers;

/// The OpenAPI description of the handlers.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Handlers::openapi()
}
