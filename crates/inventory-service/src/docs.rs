//! The handlers' part of the OpenAPI document. A test checks that it lists exactly the routes of the service.

use utoipa::{OpenApi, ToSchema};

use crate::domain::Shortage;
use crate::routes::{commit, release, reserve, set, show};

#[derive(OpenApi)]
#[openapi(
    info(description = "The stock of each product, and its reservations for orders."),
    paths(show::show, set::set, reserve::reserve, commit::commit, release::release)
)]
struct Handlers;

/// The members that problem details of a reservation have besides those of all problem details.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the members")]
pub(crate) struct ReservationConflict {
    /// With `insufficient_stock`: the products without enough stock.
    #[schema(nullable = false)]
    short: Option<Vec<Shortage>>,
}

/// The OpenAPI description of the handlers.
#[must_use]
pub fn handlers() -> utoipa::openapi::OpenApi {
    Handlers::openapi()
}
