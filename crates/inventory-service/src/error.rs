//! What can go wrong, and how it is answered.

use actix_web::http::StatusCode;
use auth::FieldError;
use serde_json::{Map, Value, json};
use service_kit::{Problem, RequestError, problem};

use crate::domain::Short;
use crate::products::ProductsError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum InventoryError {
    #[error("There is no such product.")]
    NoProduct,
    #[error("Only the product's owner or an admin may do this.")]
    NotYours,
    #[error("The stock is not the version that was asked for.")]
    ChangedMeanwhile,
    #[error("More than that is reserved.")]
    BelowReserved,
    #[error("Only order-service may do this.")]
    NotOrderService,
    #[error("There is too little of some products.")]
    InsufficientStock(Vec<Short>),
    #[error("The order was here before, with other items.")]
    Mismatch,
    #[error("There is no such reservation.")]
    NoReservation,
    #[error("The reservation was refused: there is nothing to commit.")]
    NotReserved,
    #[error("The reservation was released.")]
    Released,
    #[error("The reservation was committed.")]
    Committed,
    #[error("product-service can't be asked.")]
    Products(#[from] ProductsError),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("The database can't be asked.")]
    Database(#[from] sqlx::Error),
}

impl Problem for InventoryError {
    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NoProduct => (StatusCode::NOT_FOUND, "product_not_found"),
            Self::NotYours | Self::NotOrderService => (StatusCode::FORBIDDEN, "forbidden"),
            Self::ChangedMeanwhile => (StatusCode::PRECONDITION_FAILED, "precondition_failed"),
            Self::BelowReserved => (StatusCode::CONFLICT, "below_reserved"),
            Self::InsufficientStock(_) => (StatusCode::CONFLICT, "insufficient_stock"),
            Self::Mismatch => (StatusCode::CONFLICT, "reservation_mismatch"),
            Self::NoReservation => (StatusCode::NOT_FOUND, "reservation_not_found"),
            Self::NotReserved => (StatusCode::CONFLICT, "not_reserved"),
            Self::Released => (StatusCode::CONFLICT, "released"),
            Self::Committed => (StatusCode::CONFLICT, "committed"),
            Self::Products(_) => (StatusCode::SERVICE_UNAVAILABLE, "product_service_unavailable"),
            Self::Request(error) => error.parts(),
            Self::Database(error) if db::is_unavailable(error) => {
                (StatusCode::SERVICE_UNAVAILABLE, "database_unavailable")
            }
            Self::Database(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Request(error) => error.fields(),
            _ => Vec::new(),
        }
    }

    fn members(&self) -> Map<String, Value> {
        match self {
            Self::InsufficientStock(short) => Map::from_iter([("short".to_owned(), json!(short))]),
            _ => Map::new(),
        }
    }
}
problem!(InventoryError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_away_is_so_for_a_time_and_what_is_wrong_here_is_not_told() {
        let answered = |error: sqlx::Error| InventoryError::from(error).parts();
        assert_eq!(
            answered(sqlx::Error::PoolTimedOut),
            (StatusCode::SERVICE_UNAVAILABLE, "database_unavailable")
        );
        assert_eq!(
            answered(sqlx::Error::RowNotFound),
            (StatusCode::INTERNAL_SERVER_ERROR, "internal")
        );
    }
}
