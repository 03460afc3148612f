//! The errors that any handler of any service can return, and the responses to them.

use actix_web::ResponseError as _;
use actix_web::http::StatusCode;
use auth::{AuthError, FieldError};

use crate::problem::{Problem, RequestError};

/// An invalid request, a failed database, or a role that can't be confirmed. A service's own error has it as one variant:
///
/// ```
/// use actix_web::http::StatusCode;
/// use service_kit::{CommonError, Problem, RequestError, problem};
///
/// #[derive(Debug, thiserror::Error)]
/// enum OrderError {
///     #[error("There is no such order.")]
///     NotFound,
///     #[error(transparent)]
///     Common(#[from] CommonError),
/// }
///
/// impl Problem for OrderError {
///     fn parts(&self) -> (StatusCode, &'static str) {
///         match self {
///             Self::NotFound => (StatusCode::NOT_FOUND, "order_not_found"),
///             Self::Common(error) => error.parts(),
///         }
///     }
/// }
/// problem!(OrderError, Common);
///
/// // `?` converts both kinds of errors.
/// fn check(quantity: u32) -> Result<(), OrderError> {
///     if quantity == 0 {
///         return Err(RequestError::field("quantity", "must be at least 1").into());
///     }
///     Err(sqlx::Error::PoolTimedOut)?
/// }
/// assert_eq!(check(0).unwrap_err().parts(), (StatusCode::UNPROCESSABLE_ENTITY, "invalid_body"));
/// assert_eq!(check(1).unwrap_err().parts(), (StatusCode::SERVICE_UNAVAILABLE, "database_unavailable"));
/// ```
#[derive(Debug, thiserror::Error)]
pub enum CommonError {
    /// The request is invalid.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// 503 while the database is unavailable or too slow, else 500.
    #[error("The database is not available.")]
    Database(#[from] sqlx::Error),
    /// 503 `revocation_unknown` from [`User::require_all_roles`](auth::User::require_all_roles).
    #[error(transparent)]
    Auth(#[from] AuthError),
}

impl Problem for CommonError {
    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Request(error) => error.parts(),
            Self::Database(error) if db::is_unavailable(error) => {
                (StatusCode::SERVICE_UNAVAILABLE, "database_unavailable")
            }
            Self::Auth(error) => (error.status_code(), error.code()),
            Self::Database(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Request(error) => error.fields(),
            Self::Database(_) | Self::Auth(_) => Vec::new(),
        }
    }
}
crate::problem!(CommonError);

#[cfg(test)]
mod tests {
    use actix_web::ResponseError as _;
    use actix_web::body::to_bytes;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum ThingError {
        #[error("There is no such thing.")]
        NotFound,
        #[error(transparent)]
        Common(#[from] CommonError),
    }

    impl Problem for ThingError {
        fn parts(&self) -> (StatusCode, &'static str) {
            match self {
                Self::NotFound => (StatusCode::NOT_FOUND, "thing_not_found"),
                Self::Common(error) => error.parts(),
            }
        }
    }
    crate::problem!(ThingError, Common);

    async fn response_to(error: ThingError) -> Value {
        let response = error.error_response();
        assert_eq!(response.status(), error.status_code());
        let body = to_bytes(response.into_body()).await.unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    #[actix_web::test]
    async fn an_unavailable_database_is_temporary_and_another_failure_is_internal() {
        let unavailable = response_to(sqlx::Error::PoolTimedOut.into()).await;
        assert_eq!(unavailable["status"], 503);
        assert_eq!(unavailable["code"], "database_unavailable");
        let failed = response_to(sqlx::Error::RowNotFound.into()).await;
        assert_eq!(failed["status"], 500);
        assert_eq!(failed["code"], "internal");
        assert!(!failed.to_string().contains("row"), "{failed}");
    }

    #[actix_web::test]
    async fn an_invalid_request_keeps_its_fields() {
        let invalid = response_to(RequestError::field("name", "is too long").into()).await;
        assert_eq!(invalid["status"], 422);
        assert_eq!(
            invalid["errors"],
            json!([{"field": "name", "message": "is too long"}])
        );
        let not_found = response_to(ThingError::NotFound).await;
        assert_eq!(not_found["code"], "thing_not_found");
        assert!(not_found["errors"].is_null());
    }

    #[test]
    fn a_transient_failure_of_the_database_is_found_below_a_services_error() {
        let error = ThingError::from(sqlx::Error::PoolTimedOut);
        let source = std::error::Error::source(&error).expect("a source");
        assert!(source.is::<sqlx::Error>());
    }
}
