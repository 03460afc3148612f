//! The service's errors and their HTTP answers.

use actix_web::http::StatusCode;
use auth::FieldError;
use serde_json::{Map, Value, json};
use service_kit::{Problem, RequestError, problem};

use crate::domain::{BasketError, Order};
use crate::products::ProductsUnavailable;

#[derive(Debug, thiserror::Error)]
pub(crate) enum OrderError {
    #[error("There is no such order.")]
    NotFound,
    #[error("Only the user who placed this order or an admin may do this.")]
    NotYours,
    #[error("Only users who may read all orders may list another user's orders.")]
    MayNotListOthers,
    #[error("The order is already fulfilled, cancelled or rejected.")]
    AlreadyFinal(Box<Order>),
    #[error("The order is still pending: its stock is not reserved yet.")]
    NotConfirmed,
    #[error("There is not enough stock for this order.")]
    InsufficientStock(Box<Order>),
    #[error("This Idempotency-Key was used for a different order.")]
    IdempotencyMismatch,
    #[error("Prices are temporarily unavailable. Nothing was ordered.")]
    ProductsUnavailable(#[from] ProductsUnavailable),
    #[error("The request body is invalid.")]
    Basket(#[from] BasketError),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("The database is unavailable.")]
    Database(#[from] sqlx::Error),
    #[error("Placing the order was interrupted.")]
    Interrupted(#[from] tokio::task::JoinError),
}

impl Problem for OrderError {
    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "order_not_found"),
            Self::NotYours | Self::MayNotListOthers => (StatusCode::FORBIDDEN, "forbidden"),
            Self::AlreadyFinal(_) => (StatusCode::CONFLICT, "order_already_final"),
            Self::NotConfirmed => (StatusCode::CONFLICT, "order_not_confirmed"),
            Self::InsufficientStock(_) => (StatusCode::CONFLICT, "insufficient_stock"),
            Self::IdempotencyMismatch => (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_mismatch"),
            Self::ProductsUnavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "product_service_unavailable"),
            Self::Basket(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_body"),
            Self::Request(error) => error.parts(),
            Self::Database(error) if db::is_unavailable(error) => {
                (StatusCode::SERVICE_UNAVAILABLE, "database_unavailable")
            }
            Self::Database(_) | Self::Interrupted(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Basket(error) => vec![FieldError {
                field: error.field(),
                message: error.to_string(),
            }],
            _ => Vec::new(),
        }
    }

    /// The order in its current state and, if stock was short, the short products.
    fn members(&self) -> Map<String, Value> {
        let (Self::InsufficientStock(order) | Self::AlreadyFinal(order)) = self else {
            return Map::new();
        };
        let mut members = Map::from_iter([("order".to_owned(), json!(order))]);
        if let Self::InsufficientStock(_) = self {
            let short = order.items.iter().filter_map(|line| {
                let available = line.available?;
                Some(json!({"product_id": line.product_id, "requested": line.quantity, "available": available}))
            });
            members.insert("short".to_owned(), short.collect());
        }
        members
    }
}
problem!(OrderError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unavailable_database_is_503_and_any_other_database_error_is_500() {
        let answered = |error: sqlx::Error| OrderError::from(error).parts();
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
