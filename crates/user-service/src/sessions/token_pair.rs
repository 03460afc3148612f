//! The response to a login and to a refresh.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::UserResponse;

/// An access token, and the refresh token that is exchanged for the next pair (RFC 6749 §5.1).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenPair {
    pub access_token: String,
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// Seconds until the access token expires.
    pub expires_in: i64,
    pub refresh_token: String,
    /// Seconds until the refresh token expires if it is not used.
    pub refresh_expires_in: i64,
    /// The scopes of the access token, separated by spaces. Absent if the token has no scopes: an empty text would be no valid
    /// scope (RFC 6749 §3.3).
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    pub scope: String,
    pub user: UserResponse,
}

impl TokenPair {
    /// 200, which no cache may store (RFC 6749 §5.1).
    pub(crate) fn respond(&self) -> HttpResponse {
        HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
            .json(self)
    }
}
