//! The response to a login and to a refresh.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use serde::Serialize;
use utoipa::openapi::schema::{AnyOfBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::cookies::SessionCookies;
use crate::domain::UserResponse;

/// An access token, and the refresh token that is exchanged for the next pair (RFC 6749 §5.1).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenPair {
    /// The access token: a JWT (RFC 9068).
    #[schema(max_length = 8192, example = "header.payload.signature")]
    pub access_token: String,
    /// How to send the access token: `Authorization: Bearer <access_token>` (RFC 6750 §2.1).
    #[schema(pattern = "^Bearer$", example = "Bearer")]
    pub token_type: &'static str,
    /// Seconds until the access token expires.
    #[schema(minimum = 1, maximum = 2_147_483_647, example = 900)]
    pub expires_in: i64,
    /// The refresh token, which is valid once.
    #[schema(max_length = 43, example = "a-refresh-token")]
    pub refresh_token: String,
    /// Seconds until the refresh token expires if it is not used.
    #[schema(minimum = 0, maximum = 2_147_483_647, example = 604_800)]
    pub refresh_expires_in: i64,
    /// The scopes of the access token, separated by spaces. Absent if the token has no scopes: an empty text would be no valid
    /// scope (RFC 6749 §3.3).
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false, max_length = 8192, example = "products:write orders:write")]
    pub scope: String,
    /// The user who is logged in.
    pub user: UserResponse,
}

/// A session whose tokens are in cookies.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CookieSession<'p> {
    /// Seconds until the access token expires.
    #[schema(minimum = 1, maximum = 2_147_483_647, example = 900)]
    expires_in: i64,
    /// The user who is logged in.
    user: &'p UserResponse,
}

/// The schema of a response that has the tokens, or sets cookies. Not `oneOf`, which openapi-generator's Python clients can't read: they
/// ignore that a session in cookies has no other members. They take the first schema that matches.
#[derive(Debug)]
pub(crate) struct SessionResponse;

impl PartialSchema for SessionResponse {
    fn schema() -> RefOr<Schema> {
        let any = AnyOfBuilder::new()
            .description(Some(
                "The tokens, or with `?session=cookie` what a page may know of them.",
            ))
            .item(Ref::from_schema_name(TokenPair::name()))
            .item(Ref::from_schema_name(CookieSession::name()));
        RefOr::T(Schema::AnyOf(any.build()))
    }
}

impl ToSchema for SessionResponse {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.extend([
            (TokenPair::name().into_owned(), TokenPair::schema()),
            (CookieSession::name().into_owned(), CookieSession::schema()),
        ]);
        TokenPair::schemas(schemas);
        CookieSession::schemas(schemas);
    }
}

impl TokenPair {
    /// 200 with the tokens.
    pub(crate) fn respond(&self) -> HttpResponse {
        ok(self)
    }

    /// 200 with the tokens in cookies, where no script can read them.
    pub(crate) fn respond_in(&self, cookies: &SessionCookies) -> HttpResponse {
        let mut response = ok(&CookieSession {
            expires_in: self.expires_in,
            user: &self.user,
        });
        cookies.set(&mut response, self);
        response
    }
}

/// 200, which no cache may store (RFC 6749 §5.1).
fn ok(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .json(body)
}
