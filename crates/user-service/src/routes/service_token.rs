//! Giving a service a token for another.

use actix_web::HttpResponse;
use actix_web::web::Data;
use auth::Clock;
use serde::{Deserialize, Serialize};
use service_kit::Form;
use utoipa::ToSchema;

use crate::clients::Client;
use crate::mint::Mint;
use crate::oauth::{OAuthError, OAuthRefusal, refuse_secret, unstored};

#[derive(Deserialize, ToSchema)]
pub struct TokenRequest {
    #[schema(value_type = String, example = "client_credentials")]
    grant_type: Option<String>,
    /// The one service that is going to be called.
    #[schema(value_type = String, example = "inventory-service")]
    audience: Option<String>,
    /// A service has none.
    scope: Option<String>,
    #[schema(ignore)]
    client_secret: Option<String>,
}

impl TokenRequest {
    /// The audience that is asked for, if the request is one that can be granted at all.
    fn audience(self) -> Result<String, OAuthError> {
        refuse_secret(self.client_secret.as_deref())?;
        match self.grant_type.as_deref() {
            Some("client_credentials") => {}
            Some(_) => return Err(OAuthError::UnsupportedGrantType),
            None => return Err(OAuthError::InvalidRequest("grant_type is missing.")),
        }
        if self.scope.is_some() {
            return Err(OAuthError::InvalidScope);
        }
        self.audience
            .ok_or(OAuthError::InvalidRequest("audience is missing."))
    }
}

/// RFC 6749 §5.1. The scope is left out: a service's token has none, and none can be asked for.
#[derive(Serialize, ToSchema)]
pub(crate) struct ServiceToken {
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds until it ends.
    expires_in: i64,
}

/// `POST /oauth/token`: a token with which a service calls one other (RFC 6749 §4.4). Whom it may call stands in `services.toml`.
#[utoipa::path(
    post, path = "/oauth/token", tag = "oauth",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = ServiceToken),
        (status = 400, body = OAuthRefusal, description = "`invalid_request`, `unsupported_grant_type`, `invalid_scope`, or \
            `invalid_target`: not one that this service may call"),
        (status = 401, body = OAuthRefusal, description = "`invalid_client`"),
    ),
)]
#[tracing::instrument(skip_all)]
pub async fn service_token(
    client: Client,
    request: Result<Form<TokenRequest>, OAuthError>,
    mint: Data<Mint>,
    clock: Data<Clock>,
) -> Result<HttpResponse, OAuthError> {
    let audience = request?.0.audience()?;
    if !client.may_call(&audience) {
        return Err(OAuthError::InvalidTarget);
    }

    let access_token = mint.service_token(client.name(), &audience, clock.now())?;

    tracing::info!(client = client.name(), audience, "gave a service token");
    let expires_in = mint.life.num_seconds();
    Ok(unstored(HttpResponse::Ok().json(ServiceToken {
        access_token,
        token_type: "Bearer",
        expires_in,
    })))
}
