//! What can go wrong, and how it is answered.

use actix_web::http::StatusCode;
use auth::FieldError;
use service_kit::{Problem, RequestError, problem};

#[derive(Debug, thiserror::Error)]
pub(crate) enum ProductError {
    #[error("There is no such product.")]
    NotFound,
    #[error("Only its owner or an admin may do this.")]
    NotYours,
    #[error("The product is not the version that was asked for.")]
    ChangedMeanwhile,
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("The database can't be asked.")]
    Database(#[from] sqlx::Error),
}

impl Problem for ProductError {
    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "product_not_found"),
            Self::NotYours => (StatusCode::FORBIDDEN, "forbidden"),
            Self::ChangedMeanwhile => (StatusCode::PRECONDITION_FAILED, "precondition_failed"),
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
}
problem!(ProductError);
