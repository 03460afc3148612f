//! The errors of this service, and the responses to them.

use actix_web::http::StatusCode;
use service_kit::{CommonError, Problem, problem};

use crate::orders::OrdersError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum ReviewError {
    #[error("There is no such review.")]
    NotFound,
    #[error("Only the review's author or an admin may do this.")]
    NotYours,
    #[error("Only users who bought the product may review it.")]
    NotPurchased,
    #[error("You have already reviewed this product.")]
    AlreadyReviewed,
    #[error("order-service is unavailable.")]
    Orders(#[from] OrdersError),
    #[error(transparent)]
    Common(#[from] CommonError),
}

impl Problem for ReviewError {
    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "review_not_found"),
            Self::NotYours => (StatusCode::FORBIDDEN, "forbidden"),
            Self::NotPurchased => (StatusCode::FORBIDDEN, "not_purchased"),
            Self::AlreadyReviewed => (StatusCode::CONFLICT, "already_reviewed"),
            Self::Orders(_) => (StatusCode::SERVICE_UNAVAILABLE, "order_service_unavailable"),
            Self::Common(error) => error.parts(),
        }
    }
}
problem!(ReviewError, Common);
