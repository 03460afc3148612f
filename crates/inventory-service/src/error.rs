//! The service's errors and their HTTP answers.

use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value, json};
use service_kit::{CommonError, Problem, problem};
use utoipa::ToSchema;

use crate::domain::Shortage;
use crate::products::ProductsError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum InventoryError {
    #[error("There is no such product.")]
    ProductNotFound,
    #[error("Only the product's owner or an admin may do this.")]
    NotYours,
    #[error("The stock has another version than If-Match names.")]
    VersionMismatch,
    #[error("More than this quantity is reserved for orders.")]
    BelowReserved,
    #[error("There is not enough stock of some products.")]
    InsufficientStock(Vec<Shortage>),
    #[error("This order already has a reservation with different items.")]
    Mismatch,
    #[error("There is no such reservation.")]
    ReservationNotFound,
    #[error("The reservation was refused, so there is nothing to commit.")]
    NotReserved,
    #[error("The reservation was released.")]
    Released,
    #[error("The reservation was committed.")]
    Committed,
    #[error("product-service is unavailable.")]
    Products(#[from] ProductsError),
    #[error(transparent)]
    Common(#[from] CommonError),
}

/// The members of a conflict's problem details, besides those of all problem details.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReservationConflict {
    /// With `insufficient_stock`: the products without enough stock.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_items = 50)]
    short: Option<Vec<Shortage>>,
}

impl Problem for InventoryError {
    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::ProductNotFound => (StatusCode::NOT_FOUND, "product_not_found"),
            Self::NotYours => (StatusCode::FORBIDDEN, "forbidden"),
            Self::VersionMismatch => (StatusCode::PRECONDITION_FAILED, "precondition_failed"),
            Self::BelowReserved => (StatusCode::CONFLICT, "below_reserved"),
            Self::InsufficientStock(_) => (StatusCode::CONFLICT, "insufficient_stock"),
            Self::Mismatch => (StatusCode::CONFLICT, "reservation_mismatch"),
            Self::ReservationNotFound => (StatusCode::NOT_FOUND, "reservation_not_found"),
            Self::NotReserved => (StatusCode::CONFLICT, "not_reserved"),
            Self::Released => (StatusCode::CONFLICT, "released"),
            Self::Committed => (StatusCode::CONFLICT, "committed"),
            Self::Products(_) => (StatusCode::SERVICE_UNAVAILABLE, "product_service_unavailable"),
            Self::Common(error) => error.parts(),
        }
    }

    fn members(&self) -> Map<String, Value> {
        let Self::InsufficientStock(short) = self else {
            return Map::new();
        };
        let conflict = ReservationConflict {
            short: Some(short.clone()),
        };
        match json!(conflict) {
            Value::Object(members) => members,
            _ => Map::new(),
        }
    }
}
problem!(InventoryError, Common);
