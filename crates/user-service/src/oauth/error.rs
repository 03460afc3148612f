//! Errors in the form of RFC 6749 §5.2.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue, PRAGMA, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use service_kit::{Problem as _, RequestError};

/// Why a request of a client is refused. `Display` becomes the `error_description`, except for status 500. RFC 6749 §5.2 allows
/// only ASCII in it, without quotation marks and backslashes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OAuthError {
    #[error(
        "Authenticate by HTTP Basic, with the name of a registered service and its secret, both form-encoded."
    )]
    InvalidClient,
    #[error("{0}")]
    InvalidRequest(&'static str),
    #[error("The only supported grant type is client_credentials.")]
    UnsupportedGrantType,
    #[error("This client may not call the requested audience.")]
    InvalidTarget,
    #[error("Service tokens have no scopes.")]
    InvalidScope,
    #[error("Service tokens can't be revoked.")]
    UnsupportedTokenType,
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("The database is not available.")]
    Database(#[from] sqlx::Error),
    #[error("The token could not be signed.")]
    Signing(#[from] jsonwebtoken::errors::Error),
}

/// The body of an error response.
#[derive(Serialize)]
struct OAuthErrorBody {
    error: &'static str,
    error_description: String,
}

impl OAuthError {
    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::InvalidClient => (StatusCode::UNAUTHORIZED, "invalid_client"),
            Self::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::UnsupportedGrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
            // RFC 8707 §2.
            Self::InvalidTarget => (StatusCode::BAD_REQUEST, "invalid_target"),
            Self::InvalidScope => (StatusCode::BAD_REQUEST, "invalid_scope"),
            // RFC 7009 §2.2.1.
            Self::UnsupportedTokenType => (StatusCode::BAD_REQUEST, "unsupported_token_type"),
            // A body that is too large, too slow or not a form gets the same status as on other routes.
            Self::Request(error) => (error.parts().0, "invalid_request"),
            // RFC 6749 defines these codes for the authorization endpoint only (§4.1.2.1).
            Self::Database(error) if db::is_unavailable(error) => {
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
            }
            Self::Database(_) | Self::Signing(_) => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        }
    }
}

impl ResponseError for OAuthError {
    fn status_code(&self) -> StatusCode {
        self.parts().0
    }

    fn error_response(&self) -> HttpResponse {
        let (status, error) = self.parts();
        let error_description = match status {
            StatusCode::INTERNAL_SERVER_ERROR => "An internal error occurred.".to_owned(),
            _ => self.to_string(),
        };
        let body = OAuthErrorBody {
            error,
            error_description,
        };
        let mut response = no_store(HttpResponse::build(status).json(body));
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static(r#"Basic realm="countersign", charset="UTF-8""#);
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// Forbids caches to store a response (RFC 6749 §5.1).
pub(crate) fn no_store(mut response: HttpResponse) -> HttpResponse {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status_and_code(error: &OAuthError) -> (u16, &'static str) {
        let response = error.error_response();
        assert_eq!(response.headers().get(CACHE_CONTROL).unwrap(), "no-store");
        (response.status().as_u16(), error.parts().1)
    }

    #[test]
    fn an_unavailable_database_is_temporary_and_other_failures_are_server_errors() {
        let unavailable = OAuthError::Database(sqlx::Error::PoolTimedOut);
        assert_eq!(status_and_code(&unavailable), (503, "temporarily_unavailable"));
        let other = OAuthError::Database(sqlx::Error::RowNotFound);
        assert_eq!(status_and_code(&other), (500, "server_error"));
    }

    #[actix_web::test]
    async fn an_internal_error_is_not_described() {
        for (error, description) in [
            (
                OAuthError::Database(sqlx::Error::RowNotFound),
                "An internal error occurred.",
            ),
            (
                OAuthError::InvalidTarget,
                "This client may not call the requested audience.",
            ),
        ] {
            let body = actix_web::body::to_bytes(error.error_response().into_body())
                .await
                .unwrap();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["error_description"], description);
        }
    }

    #[test]
    fn an_invalid_form_keeps_its_status() {
        assert_eq!(
            status_and_code(&RequestError::BodyTooLarge.into()),
            (413, "invalid_request")
        );
        assert_eq!(
            status_and_code(&RequestError::BodyTimeout.into()),
            (408, "invalid_request")
        );
        assert_eq!(
            status_and_code(&RequestError::MalformedForm("x").into()),
            (400, "invalid_request")
        );
    }
}
