//! What can go wrong, and how it is answered.

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
    #[error("Only whoever ordered it or an admin may do this.")]
    NotYours,
    #[error("Only whoever may read all orders may ask for somebody else's.")]
    NotAll,
    #[error("This can't be done with an order any more that was fulfilled, cancelled or rejected.")]
    AlreadyFinal(Box<Order>),
    #[error("It is not known yet whether there is stock for this order.")]
    NotConfirmed,
    #[error("There is too little stock for this order.")]
    InsufficientStock(Box<Order>),
    #[error("This Idempotency-Key was used for another order.")]
    IdempotencyMismatch,
    #[error("Prices can't be had at the moment. Nothing was ordered.")]
    ProductsUnavailable(#[from] ProductsUnavailable),
    #[error("The body does not say what is needed.")]
    Basket(#[from] BasketError),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("The database can't be asked.")]
    Database(#[from] sqlx::Error),
    #[error("The work on an order was cut off.")]
    CutOff(#[from] tokio::task::JoinError),
}

impl Problem for OrderError {
    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "order_not_found"),
            Self::NotYours | Self::NotAll => (StatusCode::FORBIDDEN, "forbidden"),
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
            Self::Database(_) | Self::CutOff(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
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

    /// The order as it is, and what there was too little of.
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
    fn a_database_that_is_away_is_so_for_a_time_and_what_is_wrong_here_is_not_told() {
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
