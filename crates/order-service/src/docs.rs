//! What the handlers say of themselves, for the OpenAPI document. A test holds this list equal to the routes.

use utoipa::OpenApi;

use crate::routes::{cancel, fulfil, list, place, show};

#[derive(OpenApi)]
#[openapi(
    info(description = "Orders: made of products and their prices, backed by stock, and never lost."),
    paths(place::place, list::list, show::show, cancel::cancel, fulfil::fulfil)
)]
struct Handlers;

/// The handlers' own description.
#[must_use]
pub fn handlers() -> utoipa::openapi::OpenApi {
    Handlers::openapi()
}
