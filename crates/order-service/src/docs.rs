//! The handlers' part of the OpenAPI document. A test checks that it lists exactly the routes of the service.

use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use crate::domain::Order;
use crate::routes::{cancel, fulfil, list, place, show};

#[derive(OpenApi)]
#[openapi(
    info(description = "Orders: priced by product-service, backed by reserved stock, never lost."),
    paths(place::place, list::list, show::show, cancel::cancel, fulfil::fulfil)
)]
struct Handlers;

/// The members that problem details of an order have besides those of all problem details.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the members")]
pub(crate) struct OrderConflict {
    /// With `insufficient_stock` and `order_already_final`: the order in its current state.
    #[schema(nullable = false)]
    order: Option<Order>,
    /// With `insufficient_stock`: the products without enough stock.
    #[schema(nullable = false)]
    short: Option<Vec<Shortage>>,
}

/// A product without enough stock.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the members")]
pub(crate) struct Shortage {
    product_id: Uuid,
    requested: i64,
    available: i64,
}

/// The OpenAPI description of the handlers.
#[must_use]
pub fn handlers() -> utoipa::openapi::OpenApi {
    Handlers::openapi()
}
