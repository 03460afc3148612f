//! Parameters that several OAuth endpoints share.

use serde::Deserialize;
use utoipa::ToSchema;

use super::clients::Client;
use super::error::OAuthError;

/// The body of an introspection (RFC 7662 §2.1) or a revocation (RFC 7009 §2.1).
#[derive(Deserialize, ToSchema)]
pub(crate) struct TokenForm {
    /// The token: an access token, a service token or a refresh token.
    #[schema(value_type = String, max_length = 8192, example = "header.payload.signature")]
    token: Option<String>,
    /// `access_token` or `refresh_token`. Ignored: this service recognizes the type of a token.
    #[schema(max_length = 100)]
    #[expect(dead_code, reason = "the API document shows what a client may send")]
    token_type_hint: Option<String>,
    #[schema(ignore)]
    client_id: Option<String>,
    #[schema(ignore)]
    client_secret: Option<String>,
}

impl TokenForm {
    /// The token, if the request is valid.
    pub(crate) fn token(self, client: &Client) -> Result<String, OAuthError> {
        check_client_parameters(client, self.client_id.as_deref(), self.client_secret.as_deref())?;
        self.token
            .ok_or(OAuthError::InvalidRequest("The parameter token is missing."))
    }
}

/// Checks the client parameters of a body whose client has authenticated by HTTP Basic. The client may not authenticate in a second
/// way (RFC 6749 §2.3). It may repeat its own name, but not name another client (RFC 6749 §3.2.1).
pub(crate) fn check_client_parameters(
    client: &Client,
    client_id: Option<&str>,
    client_secret: Option<&str>,
) -> Result<(), OAuthError> {
    if client_secret.is_some() {
        return Err(OAuthError::InvalidRequest(
            "Authenticate in one way only, by HTTP Basic.",
        ));
    }
    if client_id.is_some_and(|id| id != client.name()) {
        return Err(OAuthError::InvalidRequest(
            "The parameter client_id names another client than the Authorization header.",
        ));
    }
    Ok(())
}
