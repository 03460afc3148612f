//! The errors of this service, and the responses to them.

use actix_web::http::StatusCode;
use service_kit::{CommonError, Problem, problem};

#[derive(Debug, thiserror::Error)]
pub(crate) enum ProductError {
    #[error("There is no such product.")]
    NotFound,
    #[error("Only the product's owner or an admin may do this.")]
    NotYours,
    #[error("The product has changed since the version in If-Match.")]
    VersionMismatch,
    #[error(transparent)]
    Common(#[from] CommonError),
}

impl Problem for ProductError {
    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "product_not_found"),
            Self::NotYours => (StatusCode::FORBIDDEN, "forbidden"),
            Self::VersionMismatch => (StatusCode::PRECONDITION_FAILED, "precondition_failed"),
            Self::Common(error) => error.parts(),
        }
    }
}
problem!(ProductError, Common);
