//! Issuing service tokens.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::Clock;
use serde::{Deserialize, Serialize};
use service_kit::Form;
use utoipa::ToSchema;

use crate::oauth::{Client, OAuthError, check_client_parameters, no_store};
use crate::tokens::TokenIssuer;

/// A request for a service token (RFC 6749 §4.4.2).
#[derive(Deserialize, ToSchema)]
pub struct TokenRequest {
    /// The grant type.
    #[schema(value_type = String, max_length = 100, example = "client_credentials")]
    grant_type: Option<String>,
    /// The service that the token is for.
    #[schema(value_type = String, max_length = 100, example = "inventory-service")]
    audience: Option<String>,
    /// Service tokens have no scopes: a request with a scope is refused.
    #[schema(max_length = 100)]
    scope: Option<String>,
    #[schema(ignore)]
    client_id: Option<String>,
    #[schema(ignore)]
    client_secret: Option<String>,
}

impl TokenRequest {
    /// The requested audience, if the request is valid and the client may call that service.
    fn audience(self, client: &Client) -> Result<String, OAuthError> {
        check_client_parameters(client, self.client_id.as_deref(), self.client_secret.as_deref())?;
        match self.grant_type.as_deref() {
            Some("client_credentials") => {}
            Some(_) => return Err(OAuthError::UnsupportedGrantType),
            None => return Err(OAuthError::InvalidRequest("The parameter grant_type is missing.")),
        }
        if self.scope.is_some() {
            return Err(OAuthError::InvalidScope);
        }
        let audience = self
            .audience
            .ok_or(OAuthError::InvalidRequest("The parameter audience is missing."))?;
        if client.may_call(&audience) {
            Ok(audience)
        } else {
            Err(OAuthError::InvalidTarget)
        }
    }
}

/// A service token (RFC 6749 §5.1). There is no `scope`: service tokens have no scopes, and a request for a scope is refused.
#[derive(Serialize, ToSchema)]
pub(crate) struct ServiceToken {
    /// The service token: a JWT (RFC 9068).
    #[schema(max_length = 8192, example = "header.payload.signature")]
    access_token: String,
    /// How to send the token: `Authorization: Bearer <access_token>` (RFC 6750 §2.1).
    #[schema(pattern = "^Bearer$", example = "Bearer")]
    token_type: &'static str,
    /// Seconds until the token expires.
    #[schema(minimum = 1, maximum = 2_147_483_647, example = 900)]
    expires_in: i64,
}

/// `POST /oauth/token`: issues a token with which a service calls one other service (RFC 6749 §4.4). `services.toml`
/// lists which services each service may call.
#[utoipa::path(
    post, path = "/oauth/token", tag = "oauth", operation_id = "issue_service_token",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = ServiceToken),
        (status = 400, description = "`unsupported_grant_type` or `invalid_scope`; or \
            `invalid_target`: the client may not call this audience"),
    ),
)]
#[tracing::instrument(skip_all)]
pub async fn service_token(
    client: Client,
    request: Result<Form<TokenRequest>, OAuthError>,
    tokens: Data<TokenIssuer>,
    clock: Data<Clock>,
) -> Result<HttpResponse, OAuthError> {
    let audience = request?.0.audience(&client)?;
    let access_token = tokens.service_token(client.name(), &audience, clock.now())?;
    tracing::info!(client = client.name(), audience, "issued a service token");
    Ok(no_store(HttpResponse::Ok().json(ServiceToken {
        access_token,
        token_type: "Bearer",
        expires_in: tokens.lifetime.num_seconds(),
    })))
}
