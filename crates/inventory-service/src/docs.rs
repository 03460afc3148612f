//! What the handlers say of themselves, for the OpenAPI document. A test holds this list equal to the routes.

use utoipa::OpenApi;

use crate::routes::{commit, release, reserve, set, show};

#[derive(OpenApi)]
#[openapi(
    info(description = "What there is of each product, and what of it is promised to orders."),
    paths(show::show, set::set, reserve::reserve, commit::commit, release::release)
)]
struct Handlers;

/// The handlers' own description.
#[must_use]
pub fn handlers() -> utoipa::openapi::OpenApi {
    Handlers::openapi()
}
