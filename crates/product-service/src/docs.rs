//! What the handlers say of themselves, for the OpenAPI document. A test holds this list equal to the routes.

use utoipa::OpenApi;

use crate::routes::{change, create, delete, list, show};

#[derive(OpenApi)]
#[openapi(
    info(description = "The catalogue: who sells what, and for how much."),
    paths(list::list, show::show, create::create, change::change, delete::delete)
)]
struct Handlers;

/// The handlers' own description.
#[must_use]
pub fn handlers() -> utoipa::openapi::OpenApi {
    Handlers::openapi()
}
