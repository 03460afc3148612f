//! How the endpoints of OAuth answer, whose forms are not the platform's own: RFC 6749 §5.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue, PRAGMA, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::{Deserialize, Serialize};
use service_kit::{Problem as _, RequestError};
use utoipa::ToSchema;

/// Why a client is refused (RFC 6749 §5.2). `Display` is what the client is told: RFC 6749 allows neither quotation marks nor
/// backslashes in it, and ASCII alone.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OAuthError {
    #[error("Authenticate by HTTP Basic, with a registered name and its secret, both form-encoded.")]
    InvalidClient,
    #[error("{0}")]
    InvalidRequest(&'static str),
    #[error("The one grant type here is client_credentials.")]
    UnsupportedGrantType,
    #[error("You may not call this service.")]
    InvalidTarget,
    #[error("A service has no scopes.")]
    InvalidScope,
    #[error("The token of a service can't be taken back.")]
    UnsupportedTokenType,
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("The database can't be asked.")]
    Database(#[from] sqlx::Error),
    #[error("A token can't be signed.")]
    Signing(#[from] jsonwebtoken::errors::Error),
}

/// The body of a refusal.
#[derive(Serialize, ToSchema)]
pub(crate) struct OAuthRefusal {
    #[schema(example = "invalid_request")]
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
            // Too long, of another type, too slow: the status says it as everywhere.
            Self::Request(error) => (error.parts().0, "invalid_request"),
            // RFC 6749 has no words for these but at another endpoint (§4.1.2.1).
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
            StatusCode::INTERNAL_SERVER_ERROR => "Something went wrong here.".to_owned(),
            _ => self.to_string(),
        };
        let refusal = OAuthRefusal {
            error,
            error_description,
        };
        let mut response = unstored(HttpResponse::build(status).json(refusal));
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static(r#"Basic realm="countersign", charset="UTF-8""#);
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// What introspection (RFC 7662 §2.1) and revocation (RFC 7009 §2.1) are asked with.
#[derive(Deserialize, ToSchema)]
pub(crate) struct TokenInQuestion {
    #[schema(value_type = String)]
    token: Option<String>,
    /// `access_token` or `refresh_token`. It is not looked at: a token tells its type by itself.
    #[expect(dead_code, reason = "what a client may send stands in the document")]
    token_type_hint: Option<String>,
    #[schema(ignore)]
    client_secret: Option<String>,
}

impl TokenInQuestion {
    pub(crate) fn token(self) -> Result<String, OAuthError> {
        refuse_secret(self.client_secret.as_deref())?;
        self.token.ok_or(OAuthError::InvalidRequest("token is missing."))
    }
}

/// Who has authenticated already may not do so in another way too (RFC 6749 §2.3).
pub(crate) fn refuse_secret(in_body: Option<&str>) -> Result<(), OAuthError> {
    let refused = OAuthError::InvalidRequest("Authenticate in one way, by HTTP Basic.");
    if in_body.is_some() { Err(refused) } else { Ok(()) }
}

/// An answer of which nobody keeps a copy on the way (RFC 6749 §5.1).
pub(crate) fn unstored(mut response: HttpResponse) -> HttpResponse {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(error: &OAuthError) -> (u16, &'static str) {
        let response = error.error_response();
        assert_eq!(response.headers().get(CACHE_CONTROL).unwrap(), "no-store");
        (response.status().as_u16(), error.parts().1)
    }

    #[test]
    fn a_database_that_is_away_is_so_for_a_time_and_what_is_wrong_here_is_not_told() {
        let away = OAuthError::Database(sqlx::Error::PoolTimedOut);
        assert_eq!(answered(&away), (503, "temporarily_unavailable"));
        let wrong = OAuthError::Database(sqlx::Error::RowNotFound);
        assert_eq!(answered(&wrong), (500, "server_error"));
    }

    #[actix_web::test]
    async fn what_is_wrong_here_is_not_described() {
        for (error, described) in [
            (
                OAuthError::Database(sqlx::Error::RowNotFound),
                "Something went wrong here.",
            ),
            (OAuthError::InvalidTarget, "You may not call this service."),
        ] {
            let body = actix_web::body::to_bytes(error.error_response().into_body())
                .await
                .unwrap();
            let refusal: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(refusal["error_description"], described);
        }
    }

    #[test]
    fn a_form_that_is_refused_keeps_its_status() {
        assert_eq!(
            answered(&RequestError::BodyTooLarge.into()),
            (413, "invalid_request")
        );
        assert_eq!(
            answered(&RequestError::BodyTimeout.into()),
            (408, "invalid_request")
        );
        assert_eq!(
            answered(&RequestError::MalformedForm("x").into()),
            (400, "invalid_request")
        );
    }
}
