//! The service's errors and their HTTP answers.

use actix_web::http::StatusCode;
use auth::FieldError;
use serde::Serialize;
use serde_json::{Map, Value, json};
use service_kit::{CommonError, Problem, problem};
use utoipa::ToSchema;

use crate::domain::{BasketError, Order, Shortage};
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
    #[error("Placing the order was interrupted.")]
    Interrupted(#[from] tokio::task::JoinError),
    #[error(transparent)]
    Common(#[from] CommonError),
}

/// The members of a conflict's problem details, besides those of all problem details.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrderConflict {
    /// With `insufficient_stock` and `order_already_final`: the order in its current state.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    order: Option<Order>,
    /// With `insufficient_stock`: the products without enough stock.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, max_items = 50)]
    short: Option<Vec<Shortage>>,
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
            Self::Interrupted(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
            Self::Common(error) => error.parts(),
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

    fn members(&self) -> Map<String, Value> {
        let conflict = match self {
            Self::InsufficientStock(order) => OrderConflict {
                order: Some(Order::clone(order)),
                short: Some(order.shortages()),
            },
            Self::AlreadyFinal(order) => OrderConflict {
                order: Some(Order::clone(order)),
                short: None,
            },
            _ => return Map::new(),
        };
        match json!(conflict) {
            Value::Object(members) => members,
            _ => Map::new(),
        }
    }
}
problem!(OrderError, Common);

#[cfg(test)]
mod tests {
    use actix_web::ResponseError as _;
    use actix_web::body::to_bytes;
    use service_kit::RequestError;

    use super::*;

    #[actix_web::test]
    async fn an_invalid_request_keeps_its_fields() {
        let error = OrderError::from(RequestError::field("items", "must not be empty"));
        let response = error.error_response();
        assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);

        let body = to_bytes(response.into_body()).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            body["errors"],
            json!([{"field": "items", "message": "must not be empty"}])
        );
    }
}
